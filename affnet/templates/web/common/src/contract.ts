// What the package states of its model: contract.json.

import contract from "./contract.json";
import type { Interpolation } from "./resample.js";

export interface Contract {
  name: string;
  task: string;
  model: { file: string; sha256: string };
  threads: number;
  preprocessing: {
    resize: "cover" | "stretch";
    resize_to: [number, number]; // height, width
    interpolation: Interpolation;
    crop: [number, number];
    exif_orientation: boolean;
    mean: [number, number, number];
    std: [number, number, number];
  };
  input: { name: string; shape: number[]; dtype: "float32" | "uint8" | "int8"; layout: string; range: [number, number] };
  outputs: { name: string; shape: number[]; dtype: string; layout: string | null }[];
  scores: "logits" | "probabilities";
  suppression: { score_threshold: number; candidates: number; iou_threshold: number; detections: number };
  labels: string[];
}

export const CONTRACT = contract as unknown as Contract;

/** Returns the name of a class. */
export function nameOf(index: number): string {
  return CONTRACT.labels[index] ?? `class ${index}`;
}
