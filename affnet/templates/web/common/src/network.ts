// The model: a decoded picture in, named outputs out.

import { CONTRACT } from "./contract.js";
import { toPixels, toTensor } from "./preprocess.js";
import type { Pixels } from "./resample.js";
import { type Run, load } from "./runtime.js";

export type Values = Float32Array | Int32Array;

/** Where the time of one picture went, in ms. */
export interface Timing {
  pre: number;
  inference: number;
  post: number;
}

export interface Options {
  /** The folder that holds the model and the runtime's files; default: that of this module. */
  base?: string;
  /** Threads; more than one needs a page that is isolated from other origins. */
  threads?: number;
}

export class Network {
  /** What runs the model, and on what. */
  readonly placement: string;
  /** Of the last picture. */
  timing: Timing = { pre: 0, inference: 0, post: 0 };

  private constructor(
    private readonly run: Run,
    placement: string,
  ) {
    this.placement = placement;
  }

  static async create(options: Options = {}): Promise<Network> {
    const base = options.base ?? new URL(".", import.meta.url).href;
    const wanted = options.threads ?? CONTRACT.threads;
    const threads = globalThis.crossOriginIsolated ? wanted : 1;
    const model = fetched(`${base}${encodeURIComponent(CONTRACT.model.file)}`);
    const { run, placement } = await load(model, base, threads); // which fetches the runtime meanwhile
    return new Network(run, placement);
  }

  /** Returns the outputs by name. */
  async outputs(picture: Pixels): Promise<Record<string, Values>> {
    const started = performance.now();
    const tensor = toTensor(toPixels(picture));
    const fed = performance.now();
    const values = await this.run(tensor);
    this.timing = { pre: fed - started, inference: performance.now() - fed, post: 0 };
    return Object.fromEntries(CONTRACT.outputs.map((output, index) => [output.name, values[index]]));
  }
}

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The model cannot be fetched: HTTP ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Returns probabilities of scores. */
export function softmax(scores: Values): Float32Array {
  let largest = -Infinity;
  for (const score of scores) largest = Math.max(largest, score);
  const exponentials = Float32Array.from(scores, (score) => Math.exp(score - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}
