import { type Clock, systemClock } from '../../../src/clock.js';
import type { HeddleError } from '../../../src/errors.js';
import type { MemoryBlock } from '../../../src/transports/record.js';
import { TcpLink } from '../../../src/transports/tcp/tcp-link.js';
import { TcpTransport } from '../../../src/transports/tcp/tcp-transport.js';
import type { Link, RecordReceiver, TransportHost, TransportOptions } from '../../../src/transports/transport.js';
import { fillRecord, recordDefect } from '../frame-streams.js';

export const testOptions: TransportOptions = {
  connectTimeoutMs: 5000,
  frameBytes: 64 * 1024,
  socketBufferBytes: 256 * 1024,
};

/** What a link has brought. */
export interface LinkRecord {
  records: number;
  bytes: number;
  defects: string[];
  writable: number;
  closes: (HeddleError | undefined)[];
}

/** A context for one transport: counts and checks what arrives, and lets a test wait for it. */
export class RecordingHost implements TransportHost, RecordReceiver {
  readonly clock: Clock;
  readonly receiver: RecordReceiver = this;
  readonly transport = new TcpTransport(this);
  /** Links that peers opened, in order. */
  readonly links: TcpLink[] = [];
  readonly reports: HeddleError[] = [];
  readonly #seen = new Map<Link, LinkRecord>();
  readonly #waiting = new Set<{ condition: () => boolean; resolve: () => void }>();
  turnDepth = 0;
  maximumTurnDepth = 0;
  callsOutsideTurn = 0;
  /** Called for each record behind the checks. */
  onEachRecord: ((link: TcpLink, block: MemoryBlock, start: number, lengthBytes: number) => void) | undefined;
  onEachWritable: ((link: TcpLink) => void) | undefined;
  onEachLink: ((link: TcpLink) => void) | undefined;

  /** With `hastenTimers` of 10, timers fire after a tenth of their time. */
  constructor(hastenTimers = 1) {
    this.clock = {
      nowMicros: systemClock.nowMicros,
      setTimer: (delayMs, callback, background) => systemClock.setTimer(delayMs / hastenTimers, callback, background),
    };
  }

  seen(link: Link): LinkRecord {
    let record = this.#seen.get(link);
    if (record === undefined) {
      record = { records: 0, bytes: 0, defects: [], writable: 0, closes: [] };
      this.#seen.set(link, record);
    }
    return record;
  }

  /** Resolves when `condition` holds; looked at after each event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add({ condition, resolve });
      this.#look();
    });
  }

  onRecord(link: Link, block: MemoryBlock, start: number, lengthBytes: number): number {
    if (this.turnDepth === 0) this.callsOutsideTurn++;
    const seen = this.seen(link);
    const defect = recordDefect(block, start, lengthBytes);
    if (defect !== undefined) seen.defects.push(defect);
    const serial = block.int32[(start >> 2) + 1]! >>> 8;
    if (serial !== (seen.records & 0xffffff)) seen.defects.push(`record ${serial} in place of ${seen.records}`);
    seen.records++;
    seen.bytes += lengthBytes;
    this.onEachRecord?.(link as TcpLink, block, start, lengthBytes);
    return 1;
  }

  onWritable(link: Link): void {
    if (this.turnDepth === 0) this.callsOutsideTurn++;
    this.seen(link).writable++;
    this.onEachWritable?.(link as TcpLink);
    this.#look();
  }

  onLinkClosed(link: Link, error: HeddleError | undefined): void {
    this.seen(link).closes.push(error);
    this.#look();
  }

  onLink(link: Link): void {
    if (this.turnDepth === 0) this.callsOutsideTurn++;
    if (!(link instanceof TcpLink)) throw new TypeError('not a tcp link');
    this.links.push(link);
    this.onEachLink?.(link);
    this.#look();
  }

  enterTurn(): void {
    this.turnDepth++;
    this.maximumTurnDepth = Math.max(this.maximumTurnDepth, this.turnDepth);
  }

  leaveTurn(): void {
    this.turnDepth--;
    this.#look();
  }

  wake(): void {}

  onDoorbellRung(): void {}

  report(error: HeddleError): void {
    this.reports.push(error);
    this.#look();
  }

  #look(): void {
    for (const waiter of this.#waiting) {
      if (waiter.condition()) {
        this.#waiting.delete(waiter);
        waiter.resolve();
      }
    }
  }
}

/** Places one record with the bytes that a {@link RecordingHost} expects as its `serial`th. False: no room. */
export function sendRecord(link: Link, lengthBytes: number, serial: number): boolean {
  const start = link.writer.claim(lengthBytes);
  if (start < 0) return false;
  fillRecord(link.writer.block, start, lengthBytes, 16, serial);
  return true;
}
