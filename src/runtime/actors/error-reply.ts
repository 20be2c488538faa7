/** Thrown by handlers of the runtime's own: who asks gets the error inside, and the actor goes on. */
export class ErrorReply {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The error itself. */
export function errorOf(error: unknown): unknown {
  return error instanceof ErrorReply ? error.error : error;
}
