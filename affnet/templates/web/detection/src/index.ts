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
    const { boxes, scores, classes } = await this.network.outputs({ width, height, data });
    const started = performance.now();
    const found = classes ? listed(boxes, scores, classes) : suppressed(boxes, scores);
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

function listed(boxes: Values, scores: Values, classes: Values): Found[] {
  return Array.from(scores, (score, at) => ({
    score,
    index: classes[at],
    corners: boxes.subarray(4 * at, 4 * at + 4),
  }));
}

/** Drops boxes that overlap a better one of their class, as affnet's decoder does. */
function suppressed(boxes: Values, scores: Values): Found[] {
  const rule = CONTRACT.suppression;
  const anchors = boxes.length / 4;
  const count = scores.length / anchors;
  const shares = Array.from({ length: anchors }, (_, at) => softmax(scores.subarray(at * count, (at + 1) * count)));
  const found: Found[] = [];
  for (let index = 1; index < count; index++) {
    const kept: Found[] = [];
    const order = Array.from({ length: anchors }, (_, at) => at)
      .sort((a, b) => shares[b][index] - shares[a][index] || a - b)
      .slice(0, rule.candidates);
    for (const at of order) {
      const score = shares[at][index];
      if (!(score > Math.fround(rule.score_threshold))) break;
      const corners = boxes.subarray(4 * at, 4 * at + 4);
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
