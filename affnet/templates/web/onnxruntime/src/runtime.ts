// ONNX Runtime as WebAssembly.  Its module is loaded as it is: it starts its threads from its own file.

import type * as Ort from "onnxruntime-web";

import { CONTRACT } from "./contract.js";
import type { Values } from "./network.js";
import type { Tensor } from "./preprocess.js";

export type Run = (tensor: Tensor) => Promise<Values[]>;

export async function load(
  model: Promise<Uint8Array>,
  base: string,
  threads: number,
): Promise<{ run: Run; placement: string }> {
  const module = `${base}ort.wasm.bundle.min.mjs`;
  const [ort, bytes] = await Promise.all([import(/* @vite-ignore */ module) as Promise<typeof Ort>, model]);
  ort.env.wasm.wasmPaths = { wasm: `${base}ort-wasm-simd-threaded.wasm` };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const { dtype, shape } = CONTRACT.input;
  const run: Run = async (tensor) => {
    const feeds = { [session.inputNames[0]]: new ort.Tensor(dtype, tensor as Float32Array, shape) };
    const outputs = await session.run(feeds);
    return session.outputNames.map((name) => outputs[name].data as Values);
  };
  return { run, placement: `ONNX Runtime, WebAssembly on the CPU, ${threads} thread(s)` };
}
