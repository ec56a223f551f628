// What the demo asks a segmenter, and draws of it: a color for each class over the picture.

export async function answer(model: any, picture: unknown): Promise<any[]> {
  const mask = await model.segment(picture);
  return Object.assign(mask.shares, { mask });
}

export function draw(view: HTMLCanvasElement, { mask }: any): void {
  const context = view.getContext("2d")!;
  const image = context.getImageData(0, 0, view.width, view.height);
  mask.classes.forEach((index: number, place: number) => {
    if (index === 0) return; // the background
    color(index).forEach((value, channel) => {
      const at = 4 * place + channel;
      image.data[at] = 0.4 * image.data[at] + 0.6 * value;
    });
  });
  context.putImageData(image, 0, 0);
}

/** Pascal VOC's palette: bits 0, 1, 2 of the class become the highest of red, green, blue, and so on. */
function color(index: number): number[] {
  const found = [0, 0, 0];
  for (let bit = 7; index; bit--, index >>= 3) {
    for (let channel = 0; channel < 3; channel++) found[channel] |= ((index >> channel) & 1) << bit;
  }
  return found;
}
