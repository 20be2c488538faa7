import { type Context, systemClock, type Timer } from 'heddle';
import { CallError, type ChannelOptions } from './call-channel.js';
import { ClientSession } from './client-session.js';
import { HeldLayout } from './held-layout.js';
import { HeldLayouts } from './held-layouts.js';
import type { LayoutMode } from './layout-table.js';
import { blockBytes, clientChannel, type LayoutRequest, maximumLayoutBytes, maximumTransferBytes } from './protocol.js';
import type { ByteRange } from './range-set.js';

/** How a client behaves. */
export interface LayoutClientOptions {
  /** The client's name: at the server one at a time has it. */
  readonly clientId: string;
  /** Bytes of files that it caches, at most, beside what operations under way need. */
  readonly cacheBytes?: number;
  readonly reconnectMs?: number;
  readonly reconnectDelayMs?: number;
  readonly channel?: ChannelOptions;
}

/**
 * Operations, about a millisecond of them, after which the event loop has its chance: a program that finds everything in the cache would never let it
 * come, and with it no recall.
 */
const operationsPerYield = 256;

/** A request for a layout that has not been answered. */
interface Arrival {
  readonly request: LayoutRequest;
  isRecalled: boolean;
  arrive: (layout: HeldLayout) => void;
  fail: (error: unknown) => void;
}

/** Writes that were answered to their caller and did not reach the server. */
export class WritesLostError extends Error {
  override readonly name = 'WritesLostError';
  readonly ranges: readonly (ByteRange & { readonly file: string })[];
  constructor(ranges: WritesLostError['ranges']) {
    super(`what was written to ${ranges.map((one) => `${one.file}[${one.start}, ${one.end})`).join(', ')} is lost`);
    this.ranges = ranges;
  }
}

/**
 * Reads and writes ranges of shared files, as if all clients did so one after another, with what it needs cached under
 * layouts: while it has one, nothing goes to the server. Writes reach the server when their layout is recalled, and by
 * {@link sync}.
 */
export class LayoutClient {
  readonly counts = { recalls: 0, revocations: 0, cacheHits: 0, layoutGets: 0 };
  readonly #session: ClientSession;
  readonly #cacheBytes: number;
  readonly #held = new HeldLayouts();
  readonly #arrivals = new Map<number, Arrival>();
  /** One request for layouts of a file at a time: so this client's own layouts never overlap. */
  readonly #gates = new Map<string, Promise<void>>();
  readonly #lost: (ByteRange & { file: string })[] = [];
  #nextId = 1;
  #sinceYield = 0;
  #renewal: Timer | undefined;
  #isClosed = false;

  constructor(context: Context, uri: string, options: LayoutClientOptions) {
    this.#cacheBytes = options.cacheBytes ?? 64 * 1024 * 1024;
    const { clientId, reconnectMs = 10_000, reconnectDelayMs = 50, channel = clientChannel } = options;
    this.#session = new ClientSession(
      context,
      uri,
      { clientId, reconnectMs, reconnectDelayMs, channel },
      {
        // The server counts this client's time from the answer to this.
        granted: ({ id }: { id: number }) => this.#arrive(id, nowMs()),
        recall: ({ id }: { id: number }) => ({ isKnown: this.#recall(id) }),
        revoked: ({ id }: { id: number }) => this.#revoke(id),
      },
      () => this.#loseEverything(),
    );
  }

  /** Connects. */
  async open(): Promise<this> {
    await this.#session.ready();
    return this;
  }

  /** The connection's side, with its counts. */
  get session(): ClientSession {
    return this.#session;
  }

  /** Layouts that it holds. */
  get layouts(): number {
    return this.#held.size;
  }

  /** Reads `lengthBytes` of a file from `start` on, up to 1 MiB less a block; beyond the end of the file there are zeros. */
  async read(file: string, start: number, lengthBytes: number): Promise<Buffer> {
    const range = { start, end: start + lengthBytes };
    return this.#use(file, range, 'read', async (layout) => {
      const missing = layout.missingIn(range);
      if (missing.length === 0) this.counts.cacheHits++;
      for (const gap of missing) await this.#fetch(layout, gap);
      return this.#mayUse(layout) ? layout.read(range) : undefined;
    });
  }

  /** Writes to a file: others see it from now on, the server's disk has it after {@link sync}. */
  async write(file: string, start: number, bytes: Uint8Array): Promise<void> {
    const copy = Buffer.from(bytes);
    await this.#use(file, { start, end: start + copy.length }, 'write', async (layout) => {
      if (!this.#mayUse(layout)) return undefined;
      layout.write(start, copy);
      return true;
    });
  }

  /** Reads, lets `change` say what is to be there instead (as many bytes), and writes that: nobody comes in between. */
  async update(
    file: string,
    start: number,
    lengthBytes: number,
    change: (bytes: Buffer) => Uint8Array,
  ): Promise<Buffer> {
    const range = { start, end: start + lengthBytes };
    return this.#use(file, range, 'write', async (layout) => {
      for (const gap of layout.missingIn(range)) await this.#fetch(layout, gap);
      if (!this.#mayUse(layout)) return undefined;
      const changed = change(layout.read(range));
      if (changed.length !== lengthBytes) throw new RangeError(`${changed.length} bytes in place of ${lengthBytes}`);
      layout.write(start, changed);
      return layout.read(range);
    });
  }

  /** Brings everything that was written to the server. Rejects with {@link WritesLostError} when something was lost, once. */
  async sync(): Promise<void> {
    await Promise.all(this.#held.all.map((layout) => this.#flush(layout)));
    if (this.#lost.length > 0) throw new WritesLostError(this.#lost.splice(0));
  }

  /** Writes back, returns all layouts, and ends the session. Rejects as {@link sync} does. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#renewal?.cancel();
      await Promise.all(this.#held.all.map((layout) => this.#giveBack(layout)));
      await this.#session.close();
      this.#loseEverything();
    }
    if (this.#lost.length > 0) throw new WritesLostError(this.#lost.splice(0));
  }

  /** Ends at once, without a word to the server: what was not brought there is lost, as if the process had died. */
  vanish(): void {
    this.#isClosed = true;
    this.#renewal?.cancel();
    this.#session.vanish();
    this.#loseEverything();
  }

  // ---- operations

  /** Runs an operation with a layout that allows it, again with another one while it says undefined. */
  async #use<T>(
    file: string,
    range: ByteRange,
    mode: LayoutMode,
    operation: (layout: HeldLayout) => Promise<T | undefined>,
  ): Promise<T> {
    if (!Number.isSafeInteger(range.start) || range.start < 0 || !(range.end > range.start)) {
      throw new RangeError(`start=${range.start} end=${range.end} is no range`);
    }
    if (++this.#sinceYield >= operationsPerYield) {
      this.#sinceYield = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (;;) {
      if (this.#isClosed) throw new CallError('closed', 'this client was closed');
      const layout = this.#find(file, range, mode) ?? (await this.#acquire(file, range, mode));
      try {
        if (!this.#mayUse(layout)) await this.#renew();
        const result = await operation(layout);
        if (result !== undefined) return result;
      } catch (error) {
        // Fenced off: the layout was taken away while the operation was under way. It begins again with another one.
        if (!(error instanceof CallError) || error.code !== 'no-layout') throw error;
        this.#lose(layout);
      } finally {
        layout.unpin();
      }
    }
  }

  #find(file: string, range: ByteRange, mode: LayoutMode): HeldLayout | undefined {
    const layout = this.#held.at(file, range.start);
    if (layout === undefined || !layout.serves(file, range, mode)) return undefined;
    // The one used last is the last to be given back for want of room.
    this.#held.used(layout);
    return layout.pin();
  }

  async #acquire(file: string, range: ByteRange, mode: LayoutMode): Promise<HeldLayout> {
    const before = this.#gates.get(file) ?? Promise.resolve();
    const gate = before.then(async () => {
      const found = this.#find(file, range, mode);
      if (found !== undefined) return found;
      const start = range.start - (range.start % blockBytes);
      const end = Math.ceil(range.end / blockBytes) * blockBytes;
      if (end - start > maximumLayoutBytes) {
        throw new RangeError(`${range.end - range.start} bytes at once: at most ${maximumLayoutBytes - blockBytes}`);
      }
      const inTheWay = this.#held.overlapping(file, { start, end });
      await Promise.all([...inTheWay, ...this.#surplus(end - start)].map((layout) => this.#giveBack(layout)));
      return this.#request({ id: this.#nextId++, file, start, end, mode });
    });
    const settled = gate.then(
      () => {},
      () => {},
    );
    this.#gates.set(file, settled);
    try {
      return await gate;
    } finally {
      if (this.#gates.get(file) === settled) this.#gates.delete(file);
    }
  }

  /** Idle layouts that must go for the cache to stay within its bytes. */
  #surplus(neededBytes: number): HeldLayout[] {
    let cached = neededBytes;
    for (const layout of this.#held.all) cached += layout.cachedBytes;
    const surplus: HeldLayout[] = [];
    for (const layout of this.#held.all) {
      if (cached <= this.#cacheBytes) break;
      if (!layout.isIdle) continue;
      surplus.push(layout);
      cached -= layout.cachedBytes;
    }
    return surplus;
  }

  /** Asks for a layout, and resolves to it, pinned, when it is granted: by the reply, or by a callback later. */
  async #request(request: LayoutRequest): Promise<HeldLayout> {
    this.counts.layoutGets++;
    const askedMs = nowMs();
    const arrived = new Promise<HeldLayout>((resolve, reject) => {
      this.#arrivals.set(request.id, { request, isRecalled: false, arrive: resolve, fail: reject });
    });
    this.#session.call('layout-get', request).then(
      ({ granted }) => {
        if (granted) this.#arrive(request.id, askedMs);
      },
      (error: unknown) => {
        this.#arrivals.get(request.id)?.fail(error);
        this.#arrivals.delete(request.id);
      },
    );
    return arrived;
  }

  #arrive(id: number, confirmedMs: number): void {
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined) return;
    this.#arrivals.delete(id);
    const layout = new HeldLayout(arrival.request).pin();
    layout.confirmedMs = confirmedMs;
    layout.isRecalled = arrival.isRecalled;
    this.#held.add(layout);
    if (this.#isClosed || layout.isRecalled) void this.#giveBack(layout);
    this.#setRenewal();
    arrival.arrive(layout);
  }

  async #fetch(layout: HeldLayout, { start, end }: ByteRange): Promise<void> {
    for (let at = start; at < end; at += maximumTransferBytes) {
      const bytes = await this.#session.call('read', {
        id: layout.id,
        start: at,
        end: Math.min(end, at + maximumTransferBytes),
      });
      layout.fill(at, bytes);
    }
  }

  async #flush(layout: HeldLayout): Promise<void> {
    for (;;) {
      const piece = layout.takeDirty(maximumTransferBytes);
      if (piece === undefined) return;
      try {
        await this.#session.call('write', { id: layout.id, start: piece.range.start, bytes: piece.bytes });
      } catch {
        // Taken away, or the session is over, or there is no answer: nobody knows what the server has.
        this.#noteLost(layout, piece.range);
        this.#lose(layout);
      }
    }
  }

  // ---- layouts that go

  /** The server wants it back. False when this client has it no more, nor ever will. */
  #recall(id: number): boolean {
    this.counts.recalls++;
    const arrival = this.#arrivals.get(id);
    // The recall overtook the grant.
    if (arrival !== undefined) arrival.isRecalled = true;
    const layout = this.#held.get(id);
    if (layout !== undefined) void this.#giveBack(layout);
    return arrival !== undefined || layout !== undefined;
  }

  /** Writes back what is dirty when no operation uses it any more, and returns it. */
  #giveBack(layout: HeldLayout): Promise<void> {
    layout.isRecalled = true;
    layout.returned ??= (async () => {
      await layout.idle();
      await this.#flush(layout);
      this.#held.delete(layout);
      if (!layout.isLost) await this.#session.call('layout-return', { id: layout.id }).catch(() => {});
    })();
    return layout.returned;
  }

  #revoke(id: number): void {
    this.counts.revocations++;
    const layout = this.#held.get(id);
    if (layout !== undefined) this.#lose(layout);
  }

  #lose(layout: HeldLayout): void {
    layout.isLost = true;
    this.#held.delete(layout);
    for (const range of layout.takeAllDirty()) this.#noteLost(layout, range);
  }

  #noteLost(layout: HeldLayout, { start, end }: ByteRange): void {
    this.#lost.push({ file: layout.file, start, end });
  }

  #loseEverything(): void {
    for (const layout of this.#held.all) this.#lose(layout);
    for (const arrival of [...this.#arrivals.values()]) arrival.fail(new CallError('closed', 'the session is over'));
    this.#arrivals.clear();
  }

  // ---- the lease

  /** Without a sign that the layout is still this client's for a lease, others may have it. */
  #mayUse(layout: HeldLayout): boolean {
    return !layout.isLost && nowMs() - layout.confirmedMs < this.#session.leaseMs;
  }

  /** Asks which layouts are still good. Those that are not in the answer are wanted back, or gone. */
  async #renew(): Promise<void> {
    const askedMs = nowMs();
    const asked = this.#held.all;
    await this.#session.ready();
    const { held } = await this.#session.call('renew', {});
    for (const layout of asked) {
      if (held.includes(layout.id)) layout.confirmedMs = askedMs;
      else void this.#giveBack(layout);
    }
  }

  #setRenewal(): void {
    if (this.#renewal !== undefined || this.#isClosed) return;
    this.#renewal = systemClock.setTimer(
      Math.max(1, this.#session.leaseMs / 3),
      () => {
        this.#renewal = undefined;
        if (this.#held.size === 0) return;
        this.#renew()
          .catch(() => {})
          .finally(() => this.#setRenewal());
      },
      true,
    );
  }
}

function nowMs(): number {
  return systemClock.nowMicros() / 1000;
}
