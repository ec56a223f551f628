// The files of LiteRT that a page loads.

import { cp } from "node:fs/promises";

export async function copyRuntime(packages, target) {
  for (const kind of ["", "compat_", "threaded_"]) {
    for (const suffix of ["js", "wasm"]) {
      const name = `litert_wasm_${kind}internal.${suffix}`;
      await cp(`${packages}/@litertjs/core/wasm/${name}`, `${target}/litert/${name}`);
    }
  }
}
