// LiteRT as WebAssembly.

import { Tensor as LiteRtTensor, loadAndCompile, loadLiteRt } from "@litertjs/core";

import { CONTRACT } from "./contract.js";
import type { Values } from "./network.js";
import type { Tensor } from "./preprocess.js";

export type Run = (tensor: Tensor) => Promise<Values[]>;

export async function load(
  model: Promise<Uint8Array>,
  base: string,
  threads: number,
): Promise<{ run: Run; placement: string }> {
  const [bytes] = await Promise.all([model, loadLiteRt(`${base}litert/`, { threads: threads > 1 })]);
  const compiled = await loadAndCompile(bytes, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
  const run: Run = async (tensor) => {
    const input = new LiteRtTensor(tensor as Float32Array, CONTRACT.input.shape);
    const outputs = await compiled.run([input]);
    const values = outputs.map((output) => output.toTypedArray().slice() as Values);
    for (const used of [input, ...outputs]) used.delete();
    return values;
  };
  return { run, placement: `LiteRT, WebAssembly on the CPU, ${threads} thread(s)` };
}
