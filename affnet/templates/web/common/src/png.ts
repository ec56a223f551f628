// PNG without the browser: its canvas loses 16 bits, transparency and exact colors.

import { type Pixels } from "./resample.js";
import { PictureError } from "./picture-error.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const ADAM7 = [
  [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
]; // x, y, step in x, step in y

interface Header {
  width: number;
  height: number;
  depth: number;
  color: number;
  interlaced: boolean;
  palette: Uint8Array;
  transparency: Uint8Array | null;
  animated: boolean;
  exif: Uint8Array | null;
  data: Uint8Array[];
}

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/** Reads all but the pixels. */
export function readPng(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header: Partial<Header> = { palette: new Uint8Array(), transparency: null, animated: false, exif: null, data: [] };
  let at = 8;
  let ended = false;
  while (!ended && at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) break;
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") {
      header.width = view.getUint32(at + 8);
      header.height = view.getUint32(at + 12);
      [header.depth, header.color] = [body[8], body[9]];
      header.interlaced = body[12] === 1;
    } else if (kind === "PLTE") header.palette = body;
    else if (kind === "tRNS") header.transparency = body;
    else if (kind === "acTL") header.animated = view.getUint32(at + 8) > 1;
    else if (kind === "eXIf") header.exif = body;
    else if (kind === "IDAT") header.data!.push(body);
    ended = kind === "IEND";
    at += 12 + length;
  }
  const { width, height, depth, color } = header;
  if (!width || !height || !DEPTHS[color!]?.includes(depth!)) throw new PictureError("is a damaged PNG file");
  return header as Header;
}

/** Decodes the pixels, on white where they are transparent; of 16 bits the higher 8. */
export async function decodePng(header: Header): Promise<Pixels> {
  const { width, height } = header;
  const channels = CHANNELS[header.color];
  const bits = channels * header.depth;
  const raw = await inflated(header.data);
  const data = new Uint8Array(width * height * 3);
  const passes = header.interlaced ? ADAM7 : [[0, 0, 1, 1]];
  let at = 0;
  for (const [left, top, stepX, stepY] of passes) {
    const columns = Math.ceil((width - left) / stepX);
    const rows = Math.ceil((height - top) / stepY);
    if (columns <= 0 || rows <= 0) continue;
    const stride = Math.ceil((columns * bits) / 8);
    let before = new Uint8Array(stride);
    for (let row = 0; row < rows; row++, at += stride + 1) {
      if (at + 1 + stride > raw.length) throw new PictureError("is cut off");
      const line = raw.subarray(at + 1, at + 1 + stride);
      unfilter(raw[at], line, before, Math.max(1, bits >> 3));
      writeLine(header, line, columns, data, (top + row * stepY) * width + left, stepX);
      before = line as Uint8Array<ArrayBuffer>;
    }
  }
  return { width, height, data };
}

async function inflated(parts: Uint8Array[]): Promise<Uint8Array> {
  const stream = new Blob(parts as BlobPart[]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) chunks.push(step.value);
  } catch {
    // cut off or damaged: what came so far may be all rows
  }
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function unfilter(kind: number, line: Uint8Array, before: Uint8Array, step: number): void {
  for (let x = 0; x < line.length; x++) {
    const left = x >= step ? line[x - step] : 0;
    const up = before[x];
    const corner = x >= step ? before[x - step] : 0;
    if (kind === 1) line[x] += left;
    else if (kind === 2) line[x] += up;
    else if (kind === 3) line[x] += (left + up) >> 1;
    else if (kind === 4) line[x] += paeth(left, up, corner);
    else if (kind !== 0) throw new PictureError("is a damaged PNG file");
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function writeLine(
  header: Header,
  line: Uint8Array,
  columns: number,
  data: Uint8Array,
  begin: number,
  step: number,
): void {
  const { depth, color, palette, transparency } = header;
  const channels = CHANNELS[color];
  const sample = (index: number): number => {
    if (depth === 8) return line[index];
    if (depth === 16) return (line[2 * index] << 8) | line[2 * index + 1];
    const bit = index * depth;
    return (line[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
  };
  const toByte = (value: number): number =>
    depth === 16 ? value >> 8 : depth === 8 ? value : (value * 255) / ((1 << depth) - 1);
  const clear = (index: number): number => (transparency![2 * index] << 8) | transparency![2 * index + 1];
  for (let x = 0; x < columns; x++) {
    const to = 3 * (begin + x * step);
    const values = Array.from({ length: channels }, (_, channel) => sample(x * channels + channel));
    let rgb: number[];
    let alpha = 255;
    if (color === 3) {
      rgb = [palette[3 * values[0]] ?? 0, palette[3 * values[0] + 1] ?? 0, palette[3 * values[0] + 2] ?? 0];
      alpha = transparency?.[values[0]] ?? 255;
    } else {
      const colored = (color & 2) !== 0;
      rgb = colored ? values.slice(0, 3).map(toByte) : [toByte(values[0]), toByte(values[0]), toByte(values[0])];
      if (color & 4) alpha = toByte(values[channels - 1]);
      else if (transparency && values.every((value, channel) => value === clear(channel))) alpha = 0;
    }
    for (let channel = 0; channel < 3; channel++) data[to + channel] = onWhite(rgb[channel], alpha);
  }
}

/** Lays a color on white as Pillow's alpha_composite does. */
export function onWhite(value: number, alpha: number): number {
  if (alpha === 255) return value;
  if (alpha === 0) return 255;
  const sum = value * alpha * 128 + 255 * (255 - alpha) * 128 + (0x80 << 7);
  return (((sum >> 8) + sum) >> 8) >> 7;
}
