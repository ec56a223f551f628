// The files of ONNX Runtime that a page loads.

import { cp } from "node:fs/promises";

export async function copyRuntime(packages, target) {
  for (const name of ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"]) {
    await cp(`${packages}/onnxruntime-web/dist/${name}`, `${target}/${name}`);
  }
}
