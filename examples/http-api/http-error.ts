import { HeddleError, Refusal, RemoteError } from 'heddle';

/** What a request ends with that cannot be served. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The status for whatever a request failed with: whose fault it was, and whether to try again. */
export function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  // An actor said no: from another thread as a RemoteError, from this one as it was thrown.
  if (error instanceof Refusal || (error instanceof RemoteError && error.remoteName === 'Refusal')) return 409;
  if (!(error instanceof HeddleError)) return 500;
  switch (error.code) {
    case 'ERR_HEDDLE_TIMEOUT':
      return 504;
    case 'ERR_HEDDLE_MAILBOX_FULL':
    case 'ERR_HEDDLE_CONTEXT_LOST':
    case 'ERR_HEDDLE_ACTOR_STOPPED':
    case 'ERR_HEDDLE_CLOSED':
      return 503;
    default:
      return 500;
  }
}
