import { HeddleError } from '../../errors.js';

/** What became of a message that was not through when its connection ended for that reason. */
export function flushedError(cause: HeddleError): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_FLUSHED',
    `the connection ended before the message was through: ${cause.message}`,
    { cause },
  );
}

/** Why a connection did not end as it was asked to. */
export function lostWhileClosing(cause: HeddleError): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_DISCONNECTED',
    `the wire was lost while the connection was closing: what was sent last may not have arrived (${cause.message})`,
    { cause },
  );
}
