// Which objects are where in a picture.

import { CONTRACT, nameOf } from "./contract.js";
import { type Picture, decode } from "./decode.js";
import { Network, type Options, type Values, softmax } from "./network.js";

export { CONTRACT, nameOf } from "./contract.js";
export { type Picture, PictureError, decode } from "./decode.js";
export { Network, type Options, type Timing } from "./network.js";
export { toPixels } from "./preprocess.js";

/** An object. */
export interface Detection {
  name: string;
  score: number; // 0..1
  box: [number, number, number, number]; // left, top, right, bottom in pixels of the picture
  index: number; // of the class
}

interface Found {
  score: number;
  index: number;
  corners: ArrayLike<number>; // as fractions
}

/** Finds objects in pictures; create one and keep it. */
export class Detector {
  private constructor(readonly network: Network) {}

  static async create(options: Options = {}): Promise<Detector> {
    return new Detector(await Network.create(options));
  }

  /** Returns the objects whose score reaches a threshold, the best first. */
  async detect(picture: Picture, threshold = 0.3): Promise<Detection[]> {
    const { width, height, data } = await decode(picture);
    const outputs = await this.network.outputs({ width, height, data });
    const started = performance.now();
    const found = foundIn(outputs);
    const sides = [width, height, width, height];
    const detections = found
      .filter(({ score }) => score >= threshold && score > 0)
      .map(({ score, index, corners }) => ({
        name: nameOf(index),
        score,
        box: sides.map((side, at) => Math.min(1, Math.max(0, corners[at])) * side) as Detection["box"],
        index,
      }));
    this.network.timing.post = performance.now() - started;
    return detections;
  }
}

function foundIn({ boxes, scores, classes, centers, probabilities }: Record<string, Values>): Found[] {
  if (classes) return listed(boxes, scores, classes);
  const anchors = (centers ?? boxes).length / 4;
  const count = (probabilities ?? scores).length / anchors;
  const row = (values: Values, at: number) => values.subarray(at * count, (at + 1) * count);
  const every = Array.from({ length: anchors }, (_, at) => at);
  if (!centers) {
    const corners = every.map((at) => boxes.subarray(4 * at, 4 * at + 4));
    return suppressed(corners, every.map((at) => softmax(row(scores, at))));
  }
  const shares = every.map((at) => Float32Array.of(0, ...row(probabilities, at))); // the background has no column
  return suppressed(every.map((at) => cornersOf(centers.subarray(4 * at, 4 * at + 4))), shares);
}

/** Returns the corners of a box of center and size, y first. */
function cornersOf([y, x, height, width]: Values): Float32Array {
  return Float32Array.of(x - width / 2, y - height / 2, x + width / 2, y + height / 2);
}

function listed(boxes: Values, scores: Values, classes: Values): Found[] {
  return Array.from(scores, (score, at) => ({
    score,
    index: classes[at],
    corners: boxes.subarray(4 * at, 4 * at + 4),
  }));
}

/** Drops boxes that overlap a better one of their class, as affnet's decoder does. */
function suppressed(boxes: ArrayLike<number>[], shares: Float32Array[]): Found[] {
  const rule = CONTRACT.suppression;
  const found: Found[] = [];
  for (let index = 1; index < shares[0].length; index++) {
    const kept: Found[] = [];
    const order = Array.from(boxes, (_, at) => at)
      .sort((a, b) => shares[b][index] - shares[a][index] || a - b)
      .slice(0, rule.candidates);
    for (const at of order) {
      const score = shares[at][index];
      if (!(score > Math.fround(rule.score_threshold))) break;
      const corners = boxes[at];
      if (kept.every((better) => overlap(corners, better.corners) <= Math.fround(rule.iou_threshold))) {
        kept.push({ score, index, corners });
      }
    }
    found.push(...kept);
  }
  found.sort((a, b) => b.score - a.score); // stable: of equal scores the lower class first
  return found.slice(0, rule.detections);
}

function overlap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const side = (low: number) =>
    Math.fround(Math.max(0, Math.fround(Math.min(a[low + 2], b[low + 2]) - Math.max(a[low], b[low]))));
  const area = (box: ArrayLike<number>) => Math.fround(Math.fround(box[2] - box[0]) * Math.fround(box[3] - box[1]));
  const common = Math.fround(side(0) * side(1));
  const union = Math.fround(Math.fround(area(a) + area(b)) - common);
  return Math.fround(common / (union > 0 ? union : 1));
}
