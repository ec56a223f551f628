// GIF and WebP: whether they are animated, and WebP without EXIF data, so that no browser turns it.

import { orientationIn } from "./orientation.js";
import { PictureError } from "./picture-error.js";

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

export function isGif(bytes: Uint8Array): boolean {
  return ["GIF87a", "GIF89a"].includes(text(bytes, 0, 6));
}

export function isAnimatedGif(bytes: Uint8Array): boolean {
  const table = (flags: number) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const pastBlocks = (at: number): number => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at] + 1;
    return at + 1;
  };
  let pictures = 0;
  let at = 13 + table(bytes[10]);
  while (at < bytes.length && bytes[at] !== 0x3b) {
    if (bytes[at] === 0x2c) {
      pictures += 1;
      at = pastBlocks(at + 11 + table(bytes[at + 9]));
    } else if (bytes[at] === 0x21) at = pastBlocks(at + 2);
    else break;
  }
  return pictures > 1;
}

export function isWebP(bytes: Uint8Array): boolean {
  return text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP";
}

export function readWebP(bytes: Uint8Array): { animated: boolean; orientation: number; plain: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(4, true) + 8 > bytes.length) throw new PictureError("is cut off");
  const plain = bytes.slice();
  let [animated, orientation] = [false, 1];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const kind = text(bytes, at, 4);
    if (kind === "VP8X") {
      animated = (bytes[at + 8] & 0x02) !== 0;
      plain[at + 8] &= ~0x28; // neither EXIF data nor a color profile
    } else if (kind === "EXIF" || kind === "ICCP") {
      const body = bytes.subarray(at + 8, at + 8 + size);
      if (kind === "EXIF") orientation = orientationIn(text(body, 0, 4) === "Exif" ? body.subarray(6) : body);
      plain.set([0x4e, 0x4f, 0x4e, 0x45], at); // a chunk called NONE is skipped
    }
    at += 8 + size + (size & 1);
  }
  return { animated, orientation, plain };
}
