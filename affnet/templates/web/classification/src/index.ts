// What is in a picture.

import { CONTRACT, nameOf } from "./contract.js";
import { type Picture, decode } from "./decode.js";
import { Network, type Options, softmax } from "./network.js";

export { CONTRACT, nameOf } from "./contract.js";
export { type Picture, PictureError, decode } from "./decode.js";
export { Network, type Options, type Timing } from "./network.js";
export { toPixels } from "./preprocess.js";

/** A class that a picture may be of. */
export interface Label {
  name: string;
  score: number; // 0..1; those of all classes add up to 1
  index: number; // of the class
}

/** Classifies pictures; create one and keep it. */
export class Classifier {
  private constructor(readonly network: Network) {}

  static async create(options: Options = {}): Promise<Classifier> {
    return new Classifier(await Network.create(options));
  }

  /** Returns the best classes of a picture, the best first. */
  async classify(picture: Picture, top = 5): Promise<Label[]> {
    const [scores] = Object.values(await this.network.outputs(await decode(picture)));
    const started = performance.now();
    const shares = CONTRACT.scores === "logits" ? softmax(scores) : scores;
    const labels = Array.from(shares, (score, index) => ({ name: nameOf(index), score, index }));
    labels.sort((a, b) => b.score - a.score || a.index - b.index);
    this.network.timing.post = performance.now() - started;
    return labels.slice(0, top);
  }
}
