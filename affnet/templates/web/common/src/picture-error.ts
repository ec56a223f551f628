/** A picture that cannot be used; its message is one sentence. */
export class PictureError extends Error {
  constructor(reason: string) {
    super(`The picture ${reason}.`);
    this.name = "PictureError";
  }
}
