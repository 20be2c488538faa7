import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { acceptedRecordBytes } from '../frame-reader.js';
import {
  connectingSide,
  decodeHello,
  encodeHello,
  type Hello,
  helloBytes,
  linkVersion,
  listeningSide,
  processInstanceId,
} from '../hello.js';
import type { TransportHost } from '../transport.js';
import type { OperationOwner } from './operations.js';
import { SubmissionKind } from './queues.js';
import type { EndpointOwner, RdmaWorker, RegisteredBlock } from './rdma-worker.js';
import { ucxStatus } from './rdma-worker.js';

/** How long a refused peer has to read why. */
const refusalMs = 1000;

/** What a greeting works with. */
export interface GreetingParts {
  readonly host: TransportHost;
  readonly worker: RdmaWorker;
  /** Where the hello of this side lies. */
  readonly helloBlock: RegisteredBlock;
  readonly endpoint: number;
  /** For messages: what was connected to, or who came. */
  readonly peerAddress: string;
  readonly timeoutMs: number;
  /** Called once: with an error, or with what the peer said of itself. The endpoint is whoever's sets its owner then. */
  onDone(error: HeddleError | undefined, peer: Hello | undefined): void;
  /** UCX has let go of the endpoint of a greeting that failed. */
  onGone(): void;
}

/** Writes the hello of one side into memory that UCX can send from. */
export function writeHello(block: RegisteredBlock, side: number): void {
  const hello = { version: linkVersion, side, maximumRecordBytes: acceptedRecordBytes, instanceId: processInstanceId };
  encodeHello(hello).copy(block.bytes);
}

/** Exchanges hellos on an endpoint that was just made, the connecting side's first. In bounded time it is done. */
export class RdmaGreeting implements EndpointOwner, OperationOwner<undefined> {
  readonly #parts: GreetingParts;
  readonly #side: number;
  readonly #timer: Timer;
  #refusalTimer: Timer | undefined;
  #isDone = false;
  #isClosing = false;

  constructor(side: typeof connectingSide | typeof listeningSide, parts: GreetingParts) {
    this.#parts = parts;
    this.#side = side;
    this.#timer = parts.host.clock.setTimer(parts.timeoutMs, () => this.#onTimeout(), side === listeningSide);
    if (side === connectingSide) this.#sayHello();
  }

  /** Gives up: for when whoever waits for the greeting does not any more. */
  giveUp(reason: HeddleError): void {
    if (this.#isDone) return;
    this.#finish(reason);
    this.#close();
  }

  onHello(bytes: Buffer): void {
    if (this.#isDone) return;
    const { peerAddress } = this.#parts;
    const peerSide = this.#side === connectingSide ? listeningSide : connectingSide;
    let peer: Hello;
    if (bytes.length !== helloBytes) {
      this.giveUp(this.#strange(`its hello has helloBytes=${bytes.length}`));
      return;
    }
    try {
      peer = decodeHello(bytes, peerSide, peerAddress);
    } catch (error) {
      this.#refuse(error as HeddleError);
      return;
    }
    if (this.#side === listeningSide) this.#sayHello();
    this.#finish(undefined, peer);
  }

  onFailed(status: number): void {
    if (!this.#isDone) this.#finish(this.#failure(status));
    this.#close();
  }

  onFrame(): void {
    // Whoever speaks before hello is refused; what a refused peer says does not matter.
    if (!this.#isDone) this.giveUp(this.#strange('it sent data before it had said hello'));
  }

  onViolation(): void {
    if (!this.#isDone) this.giveUp(this.#strange('it broke the protocol before it had said hello'));
  }

  onClosed(): void {
    this.#parts.onGone();
  }

  /** The hello has been sent. */
  onOperationDone(): void {}

  #sayHello(): void {
    const { worker, endpoint, helloBlock } = this.#parts;
    const { bytes, memoryId } = helloBlock;
    worker.submit(SubmissionKind.hello, endpoint, this, undefined, memoryId, 0, bytes.length, 0);
    worker.flush();
  }

  /** A heddle of another version learns which this is, so that it can tell its user. */
  #refuse(error: HeddleError): void {
    this.#finish(error);
    if (this.#side === connectingSide || error.code !== 'ERR_HEDDLE_VERSION') {
      this.#close();
      return;
    }
    this.#sayHello();
    this.#refusalTimer = this.#parts.host.clock.setTimer(refusalMs, () => this.#close(), true);
  }

  #onTimeout(): void {
    const { peerAddress, timeoutMs } = this.#parts;
    const message =
      this.#side === connectingSide
        ? `${peerAddress} did not answer in time; is the host right, is it heddle, and does a firewall drop packets?`
        : `a peer at ${peerAddress} did not say hello in time:`;
    this.giveUp(
      new HeddleError('ERR_HEDDLE_TIMEOUT', `${message} connectTimeoutMs=${timeoutMs}`, {
        details: { peerAddress, connectTimeoutMs: timeoutMs },
      }),
    );
  }

  #failure(status: number): HeddleError {
    const { peerAddress, worker } = this.#parts;
    const text = worker.statusText(status);
    const details = { peerAddress, ucxStatus: status };
    if (this.#side === listeningSide) {
      return new HeddleError('ERR_HEDDLE_REFUSED', `a peer at ${peerAddress} went before it had said hello: ${text}`, {
        details,
      });
    }
    if (status === ucxStatus.timedOut) {
      const message = `${peerAddress} did not answer in the time that UCX gives; does a firewall drop packets?`;
      return new HeddleError('ERR_HEDDLE_TIMEOUT', message, { details });
    }
    return new HeddleError(
      'ERR_HEDDLE_REFUSED',
      `nothing that could be reached listens at ${peerAddress}: start the service first, look at host and port, and ` +
        `whether both sides have the same version of UCX and a transport in common (${text})`,
      { details },
    );
  }

  #strange(what: string): HeddleError {
    const { peerAddress } = this.#parts;
    return new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer at ${peerAddress} is not heddle: ${what}`, {
      details: { peerAddress },
    });
  }

  #finish(error: HeddleError | undefined, peer?: Hello): void {
    this.#isDone = true;
    this.#timer.cancel();
    this.#parts.onDone(error, peer);
  }

  #close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#refusalTimer?.cancel();
    this.#parts.worker.submitClose(this.#parts.endpoint);
    this.#parts.worker.flush();
  }
}
