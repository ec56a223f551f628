// What the demo asks a classifier, and draws of it.

export const answer = (model: any, picture: unknown) => model.classify(picture);

export function draw(): void {}
