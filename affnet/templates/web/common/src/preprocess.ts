// The pixel contract: from a decoded picture to the model's input.

import { CONTRACT } from "./contract.js";
import { type Pixels, resample } from "./resample.js";

const CONTRACTED = CONTRACT.preprocessing;

/** Rounds halves to even. */
function rounded(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** Returns the pixels of the model's input, in RGB. */
export function toPixels(picture: Pixels): Pixels {
  const [coverHeight, coverWidth] = CONTRACTED.resize_to;
  const [height, width] = CONTRACTED.crop;
  let scaledWidth = coverWidth;
  let scaledHeight = coverHeight;
  if (CONTRACTED.resize === "cover") {
    const scale = Math.max(coverHeight / picture.height, coverWidth / picture.width);
    scaledWidth = Math.max(rounded(picture.width * scale), coverWidth);
    scaledHeight = Math.max(rounded(picture.height * scale), coverHeight);
  }
  const part = {
    left: Math.floor((scaledWidth - width) / 2),
    top: Math.floor((scaledHeight - height) / 2),
    width,
    height,
  };
  return resample(picture, scaledWidth, scaledHeight, part, CONTRACTED.interpolation);
}

export type Tensor = Float32Array | Uint8Array | Int8Array;

/** Returns pixels as the model takes them: layout, type, range, mean and scale. */
export function toTensor(pixels: Pixels): Tensor {
  const { layout, dtype, range } = CONTRACT.input;
  const places = pixels.width * pixels.height;
  const size = 3 * places;
  const tensor: Tensor =
    dtype === "float32" ? new Float32Array(size) : dtype === "uint8" ? new Uint8Array(size) : new Int8Array(size);
  const span = Math.fround(range[1] - range[0]);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(CONTRACTED.mean[channel]);
    const std = Math.fround(CONTRACTED.std[channel]);
    const values = Array.from({ length: 256 }, (_, pixel) => {
      const normal = Math.fround(Math.fround(Math.fround(pixel / 255) - mean) / std);
      const value = Math.fround(range[0] + Math.fround(normal * span));
      return dtype === "float32" ? value : rounded(value);
    });
    for (let place = 0; place < places; place++) {
      const to = layout === "NHWC" ? place * 3 + channel : channel * places + place;
      tensor[to] = values[pixels.data[place * 3 + channel]];
    }
  }
  return tensor;
}
