import type { Clock, Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { RecordKind } from '../message/message-layout.js';
import type { ConnectionOptions } from './options.js';

/** What keepalive watches. */
export interface KeepaliveSubject {
  readonly peerAddress: string;
  readonly inbound: { readonly receivedRecords: number };
  readonly outbound: { placeUnsequenced(kind: number): boolean };
  readonly link: { close(error?: HeddleError): void } | undefined;
}

/**
 * Finds out that a peer is gone although its wire gave no sign of it. After `keepaliveIdleMs` without any record from the
 * peer it is probed, every `keepaliveIntervalMs`; after `keepaliveProbes` probes without a record of any kind, the link is
 * given up with `ERR_HEDDLE_PEER_SILENT`. Messages pay nothing for it but a counter.
 *
 * A full link that gets room is a sign of life, too: the peer has taken what was sent. Without that a probe behind a large
 * message, on a slow wire, would count as unanswered before it has left.
 */
export class Keepalive {
  readonly #clock: Clock;
  readonly #subject: KeepaliveSubject;
  #timer: Timer | undefined;
  #seenRecords = 0;
  #probes = 0;
  #hasRoomCome = false;
  #options: ConnectionOptions | undefined;

  constructor(clock: Clock, subject: KeepaliveSubject) {
    this.#clock = clock;
    this.#subject = subject;
  }

  /** Begins to watch, or begins anew with other options. */
  restart(options: ConnectionOptions): void {
    this.stop();
    if (options.keepaliveProbes === 0 || this.#subject.link === undefined) return;
    this.#options = options;
    this.#seenRecords = this.#subject.inbound.receivedRecords;
    this.#arm(options.keepaliveIdleMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#options = undefined;
    this.#probes = 0;
  }

  /** The link was full, and has room again. */
  onRoom(): void {
    this.#hasRoomCome = true;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => this.#look(), true);
  }

  #look(): void {
    const options = this.#options;
    if (options === undefined) return;
    const { receivedRecords } = this.#subject.inbound;
    if (receivedRecords !== this.#seenRecords || this.#hasRoomCome) {
      this.#seenRecords = receivedRecords;
      this.#hasRoomCome = false;
      this.#probes = 0;
      this.#arm(options.keepaliveIdleMs);
      return;
    }
    if (this.#probes >= options.keepaliveProbes) {
      this.#subject.link?.close(
        new HeddleError(
          'ERR_HEDDLE_PEER_SILENT',
          `${this.#subject.peerAddress} gave no sign of life for ${options.keepaliveIdleMs} ms and did not answer ` +
            `${options.keepaliveProbes} probes, ${options.keepaliveIntervalMs} ms apart`,
        ),
      );
      return;
    }
    this.#probes++;
    this.#subject.outbound.placeUnsequenced(RecordKind.ping);
    this.#arm(options.keepaliveIntervalMs);
  }
}
