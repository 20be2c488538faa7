/** Thrown by handlers of the runtime's own: who asks gets the error inside, and the actor goes on. */
export class ErrorReply {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}
