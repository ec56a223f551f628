// From the bytes of a file, or what a page already shows, to pixels in RGB.

import { CONTRACT } from "./contract.js";
import { describeJpeg, isJpeg } from "./jpeg.js";
import { isAnimatedGif, isGif, isWebP, readWebP } from "./other-formats.js";
import { orientationIn, turned } from "./orientation.js";
import { PictureError } from "./picture-error.js";
import { decodePng, isPng, onWhite, readPng } from "./png.js";
import type { Pixels } from "./resample.js";

export { PictureError };

/** What a picture may be: a file, its bytes, or a picture that the page holds, such as a video's frame. */
export type Picture = Blob | ArrayBuffer | Uint8Array | ImageBitmap | HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | Pixels;

const MAX_PIXELS = 100_000_000; // a bigger picture is refused: a small file may declare any size
const MAX_RATIO = 250; // of the sides: resized by the shorter one, a strip would fill the memory

/** Returns the pixels of a picture; throws a PictureError if it cannot be used. */
export async function decode(picture: Picture): Promise<Pixels> {
  if (picture instanceof Blob) return decodeFile(new Uint8Array(await picture.arrayBuffer()));
  if (picture instanceof ArrayBuffer) return decodeFile(new Uint8Array(picture));
  if (picture instanceof Uint8Array) return decodeFile(picture);
  if ("data" in picture) return checked(picture);
  const [width, height] =
    picture instanceof HTMLVideoElement
      ? [picture.videoWidth, picture.videoHeight]
      : picture instanceof HTMLImageElement
        ? [picture.naturalWidth, picture.naturalHeight]
        : [picture.width, picture.height];
  return drawn(picture, width, height);
}

async function decodeFile(bytes: Uint8Array): Promise<Pixels> {
  if (isPng(bytes)) {
    const header = readPng(bytes);
    checked(header);
    if (header.animated) throw new PictureError("is animated; give a single picture");
    return upright(await decodePng(header), header.exif ? orientationIn(header.exif) : 1);
  }
  if (isJpeg(bytes)) {
    const { width, height, orientation, plain } = describeJpeg(bytes);
    checked({ width, height });
    return upright(await decodeByBrowser(plain, "image/jpeg"), orientation);
  }
  if (isGif(bytes) && isAnimatedGif(bytes)) throw new PictureError("is animated; give a single picture");
  if (isWebP(bytes)) {
    const { animated, orientation, plain } = readWebP(bytes);
    if (animated) throw new PictureError("is animated; give a single picture");
    return upright(await decodeByBrowser(plain, "image/webp"), orientation);
  }
  return decodeByBrowser(bytes, "");
}

async function decodeByBrowser(bytes: Uint8Array, type: string): Promise<Pixels> {
  if (type !== "image/jpeg" && "ImageDecoder" in globalThis) {
    const found = await decodeStraight(bytes, type);
    if (found) return found;
  }
  let bitmap: ImageBitmap;
  try {
    const blob = new Blob([bytes as BlobPart], { type });
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new PictureError("is not an image, or is damaged");
  }
  try {
    return drawn(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** Decodes without multiplying colors by their alpha, which a canvas does; null where that fails. */
async function decodeStraight(bytes: Uint8Array, type: string): Promise<Pixels | null> {
  if (!type || !(await ImageDecoder.isTypeSupported(type))) return null;
  const decoder = new ImageDecoder({ data: bytes, type, colorSpaceConversion: "none", premultiplyAlpha: "none" } as ImageDecoderInit);
  let image: VideoFrame | undefined;
  try {
    image = (await decoder.decode({ frameIndex: 0 })).image;
    const { width, height } = checked({ width: image.displayWidth, height: image.displayHeight });
    const { format } = image;
    const straight = format === "RGBA" || format === "BGRA";
    if (!straight && format !== "RGBX" && format !== "BGRX") return null; // planes: the canvas is exact
    const colors = new Uint8Array(image.allocationSize());
    const [{ stride, offset }] = await image.copyTo(colors);
    const [red, blue] = format.startsWith("B") ? [2, 0] : [0, 2];
    const data = new Uint8Array(width * height * 3);
    for (let y = 0, to = 0; y < height; y++) {
      for (let x = 0, from = offset + y * stride; x < width; x++, from += 4) {
        const alpha = straight ? colors[from + 3] : 255;
        data[to++] = onWhite(colors[from + red], alpha);
        data[to++] = onWhite(colors[from + 1], alpha);
        data[to++] = onWhite(colors[from + blue], alpha);
      }
    }
    return { width, height, data };
  } catch (error) {
    if (error instanceof PictureError) throw error;
    throw new PictureError("is not an image, or is damaged");
  } finally {
    image?.close();
    decoder.close();
  }
}

function drawn(image: CanvasImageSource, width: number, height: number): Pixels {
  checked({ width, height });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new PictureError("is too large for this browser");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0);
  const colors = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < colors.length; from += 4) {
    data[to++] = colors[from];
    data[to++] = colors[from + 1];
    data[to++] = colors[from + 2];
  }
  return { width, height, data };
}

function upright(pixels: Pixels, orientation: number): Pixels {
  return CONTRACT.preprocessing.exif_orientation ? turned(pixels, orientation) : pixels;
}

function checked<T extends { width: number; height: number }>(size: T): T {
  if (!size.width || !size.height) throw new PictureError("has no pixels");
  if (size.width * size.height > MAX_PIXELS) throw new PictureError("has too many pixels to be decoded");
  if (Math.max(size.width, size.height) > MAX_RATIO * Math.min(size.width, size.height)) {
    throw new PictureError(`is more than ${MAX_RATIO} times as long as it is wide`);
  }
  return size;
}
