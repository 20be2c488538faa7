import { HeddleError } from '../../errors.js';
import type { BufferCarrier } from '../transport.js';
import type { OperationOwner } from './operations.js';
import { SubmissionKind } from './queues.js';
import type { RdmaWorker } from './rdma-worker.js';

type Done = (error: HeddleError | undefined) => void;

/** Carries the data of large messages over one endpoint: by UCX's rendezvous, from registered memory to registered memory. */
export class RdmaBuffers implements BufferCarrier, OperationOwner<Done> {
  readonly #worker: RdmaWorker;
  readonly #endpoint: number;
  readonly #peerAddress: string;
  readonly #isInPoll: () => boolean;
  #lastTransfer = 0;

  /** `isInPoll` tells whether what is submitted now leaves by itself soon. */
  constructor(worker: RdmaWorker, endpoint: number, peerAddress: string, isInPoll: () => boolean) {
    this.#worker = worker;
    this.#endpoint = endpoint;
    this.#peerAddress = peerAddress;
    this.#isInPoll = isInPoll;
  }

  nextTransfer(): number {
    this.#lastTransfer = (this.#lastTransfer + 1) | 0;
    return this.#lastTransfer;
  }

  send(transfer: number, bytes: Uint8Array, onDone: Done): void {
    this.#submit(SubmissionKind.sendBuffer, transfer, bytes, onDone);
  }

  receive(transfer: number, target: Uint8Array, onDone: Done): void {
    this.#submit(SubmissionKind.receiveBuffer, transfer, target, onDone);
  }

  discard(transfer: number): void {
    this.#worker.submitDiscard(this.#endpoint, transfer);
    if (!this.#isInPoll()) this.#worker.flush();
  }

  /** @inheritdoc */
  onOperationDone(onDone: Done, status: number): void {
    this.#worker.transfersUnderWay--;
    if (status === 0) {
      onDone(undefined);
      return;
    }
    const text = this.#worker.statusText(status);
    const message = `the data of a large message did not get through to or from ${this.#peerAddress}: ${text}`;
    const details = { peerAddress: this.#peerAddress, ucxStatus: status };
    onDone(new HeddleError('ERR_HEDDLE_DISCONNECTED', message, { details }));
  }

  #submit(kind: number, transfer: number, bytes: Uint8Array, onDone: Done): void {
    const memoryId = this.#worker.memory.idOf(bytes.buffer as unknown as SharedArrayBuffer);
    this.#worker.submit(kind, this.#endpoint, this, onDone, memoryId, bytes.byteOffset, bytes.length, transfer);
    this.#worker.transfersUnderWay++;
    if (!this.#isInPoll()) this.#worker.flush();
  }
}
