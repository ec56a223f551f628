// What each pixel of a picture shows.

import { CONTRACT, nameOf } from "./contract.js";
import { type Picture, decode } from "./decode.js";
import { Network, type Options, type Values } from "./network.js";
import { nearest } from "./resample.js";

export { CONTRACT, nameOf } from "./contract.js";
export { type Picture, PictureError, decode } from "./decode.js";
export { Network, type Options, type Timing } from "./network.js";
export { toPixels } from "./preprocess.js";

/** A class that occurs in a picture. */
export interface Share {
  name: string;
  share: number; // of the picture, 0..1
  index: number; // of the class
}

/** The class of each pixel of a picture. */
export interface Mask {
  width: number; // of the picture
  height: number;
  classes: Int32Array; // row by row
  shares: Share[]; // the largest first
}

/** Segments pictures; create one and keep it. */
export class Segmenter {
  private constructor(readonly network: Network) {}

  static async create(options: Options = {}): Promise<Segmenter> {
    return new Segmenter(await Network.create(options));
  }

  /** Returns the class of each pixel of a picture, at the picture's own size. */
  async segment(picture: Picture): Promise<Mask> {
    const pixels = await decode(picture);
    const outputs = await this.network.outputs(pixels);
    const started = performance.now();
    const [height, width] = CONTRACT.preprocessing.crop;
    const small = outputs.classes ? Int32Array.from(outputs.classes) : best(outputs.scores, width * height);
    const counts = new Map<number, number>();
    for (const index of small) counts.set(index, (counts.get(index) ?? 0) + 1);
    const shares = [...counts]
      .sort(([a, more], [b, less]) => less - more || a - b)
      .map(([index, count]) => ({ name: nameOf(index), share: count / small.length, index }));
    const classes = nearest(small, { width, height }, pixels);
    this.network.timing.post = performance.now() - started;
    return { width: pixels.width, height: pixels.height, classes, shares };
  }
}

/** Returns the best class of each place; scores are class by class, or of NHWC place by place. */
function best(scores: Values, places: number): Int32Array {
  const classes = scores.length / places;
  const last = CONTRACT.outputs[0].layout === "NHWC";
  const [perPlace, perClass] = last ? [classes, 1] : [1, places];
  const found = new Int32Array(places);
  const largest = Float32Array.from(found, (_, place) => scores[place * perPlace]);
  for (let index = 1; index < classes; index++) {
    for (let place = 0, at = index * perClass; place < places; place++, at += perPlace) {
      if (scores[at] > largest[place]) {
        largest[place] = scores[at];
        found[place] = index;
      }
    }
  }
  return found;
}
