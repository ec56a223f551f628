// What a JPEG file says of itself; the browser decodes it, without its EXIF data, so that it does not turn it.

import { orientationIn } from "./orientation.js";
import { PictureError } from "./picture-error.js";

interface Description {
  width: number;
  height: number;
  orientation: number;
  plain: Uint8Array; // the file without EXIF data and color profile
}

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

export function describeJpeg(bytes: Uint8Array): Description {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  let [width, height, orientation] = [0, 0, 1];
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) throw new PictureError("is a damaged JPEG file");
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1; // a filling byte
      continue;
    }
    const end = at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    const body = bytes.subarray(at + 4, end);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) [height, width] = [(body[1] << 8) | body[2], (body[3] << 8) | body[4]];
    const isExif = marker === 0xe1 && startsWith(body, "Exif\0");
    if (isExif) orientation = orientationIn(body.subarray(6));
    const isProfile = marker === 0xe2 && startsWith(body, "ICC_PROFILE");
    if (marker === 0xda) return { width, height, orientation, plain: joined([...kept, scan(bytes, at)]) };
    if (!isExif && !isProfile) kept.push(bytes.subarray(at, end));
    at = end;
  }
  throw new PictureError("is cut off");
}

/** Returns the compressed rest; its end must be there, as browsers draw what is cut off in gray. */
function scan(bytes: Uint8Array, at: number): Uint8Array {
  for (let end = bytes.length - 2; end > at; end--) {
    if (bytes[end] === 0xff && bytes[end + 1] === 0xd9) return bytes.subarray(at);
  }
  throw new PictureError("is cut off");
}

function startsWith(body: Uint8Array, text: string): boolean {
  return [...text].every((letter, index) => body[index] === letter.charCodeAt(0));
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
