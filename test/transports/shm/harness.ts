import type { Clock, Timer } from '../../../src/clock.js';
import { HeddleError } from '../../../src/errors.js';
import type { MemoryBlock } from '../../../src/transports/record.js';
import { createContextTable } from '../../../src/transports/shm/context-table.js';
import { createRingPair, isRingPairClosed, type RingPair } from '../../../src/transports/shm/ring-pair.js';
import { type ShmBroker, ShmTransport } from '../../../src/transports/shm/shm-transport.js';
import type { Link, RecordReceiver, TransportHost, TransportOptions } from '../../../src/transports/transport.js';

// These tests look into the doorbells' ports: rings of native bells would come in other turns of the event loop.
process.env.HEDDLE_NATIVE_DOORBELL = '0';

export const many = 1_000_000;
export const options: TransportOptions = { connectTimeoutMs: 5000, frameBytes: 65536, socketBufferBytes: 65536 };

/** A clock whose time stands still until a test moves it. */
export class ManualClock implements Clock {
  timers: { atMs: number; callback: () => void }[] = [];
  nowMs = 0;
  nowMicros(): number {
    return this.nowMs * 1000;
  }
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }
  advance(ms: number): void {
    this.nowMs += ms;
    const due = this.timers.filter((timer) => timer.atMs <= this.nowMs);
    this.timers = this.timers.filter((timer) => timer.atMs > this.nowMs);
    for (const timer of due) timer.callback();
  }
}

/** A context that writes down what its transport tells it. */
export class TestHost implements TransportHost {
  readonly clock = new ManualClock();
  readonly links: Link[] = [];
  readonly received: { link: Link; text: string }[] = [];
  readonly writable: Link[] = [];
  readonly closed: { link: Link; error: HeddleError | undefined }[] = [];
  readonly reports: HeddleError[] = [];
  wakes = 0;
  turnDepth = 0;
  onRecord: ((link: Link, text: string) => void) | undefined;
  /** For how many messages each record counts. */
  weight = 1;
  #wakeWaiters: (() => void)[] = [];
  readonly receiver: RecordReceiver = {
    onRecord: (link: Link, block: MemoryBlock, start: number, lengthBytes: number) => {
      const text = block.bytes.toString('utf8', start + 8, start + lengthBytes);
      this.received.push({ link, text });
      this.onRecord?.(link, text);
      return this.weight;
    },
    onWritable: (link: Link) => this.writable.push(link),
    onLinkClosed: (link: Link, error: HeddleError | undefined) => this.closed.push({ link, error }),
  };
  onLink(link: Link): void {
    this.links.push(link);
  }
  enterTurn(): void {
    this.turnDepth += 1;
  }
  leaveTurn(): void {
    this.turnDepth -= 1;
  }
  onDoorbellRung(): void {}
  wake(): void {
    this.wakes += 1;
    for (const waiter of this.#wakeWaiters.splice(0)) waiter();
  }
  report(error: HeddleError): void {
    this.reports.push(error);
  }
  get texts(): string[] {
    return this.received.map(({ text }) => text);
  }
  /** Resolves at the next wake. */
  nextWake(): Promise<void> {
    return new Promise((resolve) => this.#wakeWaiters.push(resolve));
  }
}

/** A directory of portals in one thread, with as many contexts as a test wants. */
export class TestDirectory {
  readonly table = createContextTable();
  readonly names = new Map<string, number>();
  readonly transports = new Map<number, ShmTransport>();
  readonly hosts: TestHost[] = [];
  readonly pairs = new Map<string, RingPair>();
  pairsMade = 0;
  capacityBytes = 4096;
  /** Awaited by every connect before it is answered. */
  gate: Promise<void> = Promise.resolve();
  /** Runs after the pair is attached and before connect resolves. */
  beforeAnswer: (() => void) | undefined;

  context(contextId: number): { host: TestHost; transport: ShmTransport } {
    const host = new TestHost();
    this.hosts.push(host);
    const transport = new ShmTransport(host, { contextId, table: this.table, broker: this.#broker(contextId) });
    this.transports.set(contextId, transport);
    return { host, transport };
  }

  #broker(asking: number): ShmBroker {
    return {
      bind: async (name) => {
        if (this.names.has(name)) throw new HeddleError('ERR_HEDDLE_ADDRESS_IN_USE', `name=${name} is taken`);
        this.names.set(name, asking);
      },
      unbind: async (name) => {
        this.names.delete(name);
      },
      connect: async (name) => {
        await this.gate;
        const owner = this.names.get(name);
        if (owner === undefined) throw new HeddleError('ERR_HEDDLE_REFUSED', `nothing listens at name=${name}`);
        const key = `${Math.min(asking, owner)}-${Math.max(asking, owner)}`;
        const known = this.pairs.get(key);
        if (known === undefined || isRingPairClosed(known)) {
          this.pairsMade += 1;
          const { forA, forB } = createRingPair(asking, owner, this.capacityBytes);
          this.pairs.set(key, forA);
          this.transports.get(owner)!.attach(forB);
          this.transports.get(asking)!.attach(forA);
        }
        this.beforeAnswer?.();
        return owner;
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.transports.values()].map((transport) => transport.close()));
  }
}

/** Places a record; returns false when there is no room. */
export function place(link: Link, text: string, lengthBytes = 8 + Buffer.byteLength(text)): boolean {
  const start = link.writer.claim(lengthBytes);
  if (start < 0) return false;
  const { int32, bytes } = link.writer.block;
  int32[start >> 2] = lengthBytes;
  int32[(start >> 2) + 1] = 16;
  bytes.write(text, start + 8);
  return true;
}

export function send(link: Link, text: string): void {
  if (!place(link, text)) throw new Error('no room');
  link.publish();
}

/** Two contexts, 1 connected to a portal of 2. */
export async function connectedPair(capacityBytes = 4096) {
  const directory = new TestDirectory();
  directory.capacityBytes = capacityBytes;
  const a = directory.context(1);
  const b = directory.context(2);
  await b.transport.listen('shm://b', options);
  const link = await a.transport.connect('shm://b', options);
  return { directory, a, b, link, back: b.host.links[0]! };
}

/** Lets the event loop turn until the condition holds; throws after a thousand turns. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000; turn += 1) {
    if (condition()) return;
    await new Promise(setImmediate);
  }
  throw new Error(`never came true: ${condition}`);
}
