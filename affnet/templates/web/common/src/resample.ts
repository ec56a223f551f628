// Pillow's resampling, bit for bit: separable, antialiased, in 8-bit fixed point; columns first.
// A browser's own scaling gives other pixels, and other classes.

/** Pixels in RGB, row by row. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray; // 3 bytes a pixel
}

/** A part of a picture. */
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}

export type Interpolation = "bicubic" | "bilinear";

interface Kernel {
  support: number;
  weight: (x: number) => number;
}

interface Coefficients {
  first: Int32Array; // of each output, its first input
  count: Int32Array; // and how many there are
  size: number; // of the row of weights of each output
  weights: Int32Array;
}

const PRECISION = 22; // bits behind the point
const A = -0.5; // of the cubic

const KERNELS: Record<Interpolation, Kernel> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
    },
  },
};

function coefficients(from: number, to: number, start: number, length: number, kernel: Kernel): Coefficients {
  const scale = from / to;
  const filter = Math.max(scale, 1);
  const support = kernel.support * filter;
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * size);
  const row = new Float64Array(size);
  const inverse = 1 / filter;
  for (let index = 0; index < length; index++) {
    const center = (start + index + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(from, Math.trunc(center + support + 0.5));
    let sum = 0;
    for (let x = low; x < high; x++) {
      row[x - low] = kernel.weight((x - center + 0.5) * inverse);
      sum += row[x - low];
    }
    for (let x = 0; x < high - low; x++) {
      const exact = (sum === 0 ? row[x] : row[x] / sum) * (1 << PRECISION);
      weights[index * size + x] = Math.trunc(exact < 0 ? exact - 0.5 : exact + 0.5);
    }
    first[index] = low;
    count[index] = high - low;
  }
  return { first, count, size, weights };
}

function clipped(sum: number): number {
  const value = sum >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Resizes a picture to width x height and returns a part of the result; nothing else of it is computed. */
export function resample(
  source: Pixels,
  width: number,
  height: number,
  part: Region,
  interpolation: Interpolation,
): Pixels {
  const kernel = KERNELS[interpolation];
  const rows =
    height === source.height ? null : coefficients(source.height, height, part.top, part.height, kernel);
  const last = part.height - 1;
  const top = rows ? rows.first[0] : part.top;
  const bottom = rows ? rows.first[last] + rows.count[last] : part.top + part.height;
  const across = resampleColumns(source, width, part.left, part.width, top, bottom, kernel);
  return rows ? resampleRows(across, top, rows, part.height) : across;
}

function resampleColumns(
  source: Pixels,
  width: number,
  left: number,
  length: number,
  top: number,
  bottom: number,
  kernel: Kernel,
): Pixels {
  const data = new Uint8Array(length * (bottom - top) * 3);
  const columns = width === source.width ? null : coefficients(source.width, width, left, length, kernel);
  let to = 0;
  for (let y = top; y < bottom; y++) {
    const line = y * source.width * 3;
    if (!columns) {
      data.set(source.data.subarray(line + left * 3, line + (left + length) * 3), to);
      to += length * 3;
      continue;
    }
    for (let x = 0; x < length; x++) {
      let red = 1 << (PRECISION - 1);
      let green = red;
      let blue = red;
      let from = line + columns.first[x] * 3;
      const weights = x * columns.size;
      for (let k = 0; k < columns.count[x]; k++, from += 3) {
        const weight = columns.weights[weights + k];
        red += source.data[from] * weight;
        green += source.data[from + 1] * weight;
        blue += source.data[from + 2] * weight;
      }
      data[to++] = clipped(red);
      data[to++] = clipped(green);
      data[to++] = clipped(blue);
    }
  }
  return { width: length, height: bottom - top, data };
}

function resampleRows(source: Pixels, top: number, rows: Coefficients, length: number): Pixels {
  const stride = source.width * 3;
  const data = new Uint8Array(stride * length);
  for (let y = 0; y < length; y++) {
    const begin = (rows.first[y] - top) * stride;
    for (let x = 0; x < stride; x++) {
      let sum = 1 << (PRECISION - 1);
      for (let k = 0, from = begin + x; k < rows.count[y]; k++, from += stride) {
        sum += source.data[from] * rows.weights[y * rows.size + k];
      }
      data[y * stride + x] = clipped(sum);
    }
  }
  return { width: source.width, height: length, data };
}

/** Brings a map of classes to another size by the nearest pixel, as Pillow does. */
export function nearest(map: Int32Array, from: Size, to: Size): Int32Array {
  const columns = places(from.width, to.width);
  const rows = places(from.height, to.height);
  const result = new Int32Array(to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const line = rows[y] * from.width;
    for (let x = 0; x < to.width; x++) result[y * to.width + x] = map[line + columns[x]];
  }
  return result;
}

export interface Size {
  width: number;
  height: number;
}

function places(from: number, to: number): Int32Array {
  const found = new Int32Array(to);
  const scale = from / to;
  let at = scale * 0.5; // summed up, not multiplied: it rounds as Pillow's does
  for (let index = 0; index < to; index++, at += scale) found[index] = Math.min(from - 1, Math.floor(at));
  return found;
}
