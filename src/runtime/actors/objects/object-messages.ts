import { HeddleError } from '../../../errors.js';
import type { Ref } from '../ref.js';
import type { CallMessage } from './wire-values.js';

/** What a call travels as: a message to the actor that has the object. */
export interface CallRequest {
  readonly message: CallMessage;
  readonly holder: Ref;
}

/** The messages of an actor that has an object which comlink exposes. */
export const objectMessages = {
  call: 'heddle.call',
  /** A context has the proxy now. */
  hold: 'heddle.hold',
  /** The call that sent the proxy is over: if nobody has taken it by now, nobody will. */
  callOver: 'heddle.call-over',
  /** It has it no more. */
  release: 'heddle.release',
} as const;

export function noPorts(): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CODEC',
    'a MessagePort cannot travel between contexts: send an object marked by proxy(), or a ref, and wrap() that there',
  );
}
