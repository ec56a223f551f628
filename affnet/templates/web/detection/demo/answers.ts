// What the demo asks a detector, and draws of it: a frame around each object.

export const answer = (model: any, picture: unknown) => model.detect(picture);

export function draw(view: HTMLCanvasElement, found: any[]): void {
  const context = view.getContext("2d")!;
  const unit = Math.max(2, Math.min(view.width, view.height) / 200);
  context.lineWidth = unit;
  context.font = `${6 * unit}px system-ui`;
  for (const { name, score, box, index } of [...found].reverse()) {
    const [left, top, right, bottom] = box;
    context.strokeStyle = context.fillStyle = `hsl(${(index * 137) % 360} 90% 45%)`;
    context.strokeRect(left, top, right - left, bottom - top);
    context.fillText(`${name} ${score.toFixed(2)}`, left, Math.max(6 * unit, top - unit));
  }
}
