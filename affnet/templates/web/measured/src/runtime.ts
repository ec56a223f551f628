// The network that a measuring page of affnet has loaded already, in the place of a runtime.

import type { Values } from "./network.js";
import type { Tensor } from "./preprocess.js";

export type Run = (tensor: Tensor) => Promise<Values[]>;

export async function load(model: Promise<Uint8Array>): Promise<{ run: Run; placement: string }> {
  await model;
  return { run: (globalThis as any).affnet.infer, placement: "a measuring page" };
}
