import { HeddleError } from '../../errors.js';
import { MessageFlag, RecordKind } from '../message/message-layout.js';
import type { ConnectionEvent } from './connection-machine.js';

/** Whom the sequenced records concern that are no messages: they are about one, or about the connection's end. */
export interface ControlOwner {
  readonly service: { onCancel(requestId: number): void };
  readonly requester: {
    onReceipt(reference: number, isForRequest: boolean, accepted: boolean): void;
    onCancelAnswer(requestId: number, answer: number): void;
  };
  onFin(): void;
  step(event: ConnectionEvent): void;
}

/** Hands a sequenced record that is no message to whom it concerns. */
export function receiveControl(
  owner: ControlOwner,
  kind: number,
  flags: number,
  headerField: number,
  reference: number,
): void {
  switch (kind) {
    case RecordKind.receipt:
      owner.requester.onReceipt(reference, (flags & MessageFlag.receipt) !== 0, (flags & MessageFlag.refused) === 0);
      break;
    case RecordKind.cancel:
      owner.service.onCancel(reference);
      break;
    case RecordKind.cancelAnswer:
      owner.requester.onCancelAnswer(reference, headerField);
      break;
    case RecordKind.fin:
      owner.onFin();
      break;
    case RecordKind.finAck:
      owner.step({ type: 'finAcked' });
      break;
    default:
      throw unknownKind(kind);
  }
}

/** The error for a record that the protocol does not have, or not there. */
export function unknownKind(kind: number): HeddleError {
  return new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer sent a record of unknown kind=${kind}`);
}
