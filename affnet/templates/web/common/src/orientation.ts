// EXIF's orientation: where it stands, and turning a picture upright.

import type { Pixels } from "./resample.js";

const TAG = 0x0112;

/** Returns the orientation, 1 to 8, in EXIF data that begins with a TIFF header; 1 where there is none. */
export function orientationIn(exif: Uint8Array): number {
  try {
    const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    const entries = view.getUint16(directory, little);
    for (let entry = 0; entry < entries; entry++) {
      const at = directory + 2 + 12 * entry;
      if (view.getUint16(at, little) === TAG) {
        const value = view.getUint16(at + 8, little);
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
  } catch {
    // damaged: as if there were none
  }
  return 1;
}

/** Returns a picture turned upright. */
export function turned(pixels: Pixels, orientation: number): Pixels {
  if (orientation === 1) return pixels;
  const { width, height } = pixels;
  const swapped = orientation > 4;
  const [newWidth, newHeight] = swapped ? [height, width] : [width, height];
  const mirrored = [2, 3, 7, 8].includes(orientation); // along the stored picture's x
  const flipped = [3, 4, 6, 7].includes(orientation); // along its y
  const data = new Uint8Array(newWidth * newHeight * 3);
  for (let y = 0, to = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++, to += 3) {
      const [column, row] = swapped ? [y, x] : [x, y];
      const from = 3 * ((flipped ? height - 1 - row : row) * width + (mirrored ? width - 1 - column : column));
      data[to] = pixels.data[from];
      data[to + 1] = pixels.data[from + 1];
      data[to + 2] = pixels.data[from + 2];
    }
  }
  return { width: newWidth, height: newHeight, data };
}
