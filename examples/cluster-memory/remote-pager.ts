import { crc32 } from 'node:zlib';
import { type Connection, type Context, HeddleError, type Message, type Region, type WireDescription } from 'heddle';
import {
  headerBytes,
  inMessage,
  kinds,
  MessageSender,
  type PageMessage,
  readMessage,
  type Status,
} from './page-message.js';

/** How a client of the memory server behaves. */
export interface PagerOptions {
  /** The client's number at the server. Who connects under it ends the session of whoever had it before. */
  readonly clientId: number;
  readonly pageBytes?: number;
  /** Pages that may be on their way at once. */
  readonly transfers?: number;
  /** How long to wait for an answer: to a request for a page that the server does not know none comes. */
  readonly timeoutMs?: number;
}

/** Why a page could not be stored or fetched: a status of the server, or `timeout`, `fenced`, `closed`. */
export class PageError extends Error {
  override readonly name = 'PageError';
  readonly code: Status | 'timeout' | 'fenced' | 'closed';
  constructor(code: PageError['code'], page: number) {
    super(`page ${page}: ${code}`);
    this.code = code;
  }
}

interface Transfer {
  readonly page: number;
  readonly slot: number;
  /** Where a page that is fetched is to go. */
  readonly target: Buffer | undefined;
  readonly expiresMs: number;
  resolve(status: Status): void;
  reject(error: Error): void;
}

interface Welcome {
  readonly clientSession: number;
  readonly serverSession: number;
  readonly controlUri: string;
}

/** Stores pages at a memory server and fetches them. */
export class RemotePager {
  readonly pageBytes: number;
  readonly counts = { pagedOut: 0, pagedIn: 0, refused: 0, unknownReplies: 0 };
  readonly #context: Context;
  readonly #options: Required<PagerOptions>;
  readonly #freeSlots: number[];
  readonly #waitingForSlot: (() => void)[] = [];
  readonly #transfers = new Map<number, Transfer>();
  readonly #sender: MessageSender;
  #arena: Region;
  #connection!: Connection;
  #control: Promise<Connection> | undefined;
  #welcome!: Welcome;
  #isOneSided = false;
  #nextRequest = 1;
  /** Slots that the server may yet write to, after their transfers were given up. */
  #lostSlots = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended: PageError['code'] | undefined;
  #resolveShutdown!: () => void;
  /** Resolves when the server wants to end: fetch what is needed, then call {@link acknowledgeShutdown}. */
  readonly shutdown = new Promise<void>((resolve) => {
    this.#resolveShutdown = resolve;
  });

  private constructor(context: Context, options: PagerOptions) {
    this.#context = context;
    this.#options = { pageBytes: 4096, transfers: 32, timeoutMs: 10_000, ...options };
    const { pageBytes, transfers } = this.#options;
    this.pageBytes = pageBytes;
    this.#sender = new MessageSender(pageBytes);
    this.#freeSlots = Array.from({ length: transfers }, (_, index) => index);
    this.#arena = context.exportRegion(context.allocate(transfers * pageBytes), { rights: ['read', 'write'] });
  }

  /** Opens a session at the memory server. */
  static async open(context: Context, uri: string, options: PagerOptions): Promise<RemotePager> {
    const pager = new RemotePager(context, options);
    try {
      await pager.#open(uri);
    } catch (error) {
      pager.#end('closed');
      throw error;
    }
    return pager;
  }

  async #open(uri: string): Promise<void> {
    const { clientId, pageBytes, transfers } = this.#options;
    this.#connection = await this.#context.connect(uri, {
      codec: 'compact',
      privateData: Buffer.from(JSON.stringify({ clientId, pageBytes })),
      onMessage: (message) => this.#onMessage(message),
      onEvent: (event) => {
        if (event.type === 'connection-teardown') this.#end('closed');
      },
    });
    this.#welcome = JSON.parse(this.#connection.session.peerPrivateData.toString()) as Welcome;
    const answer = await this.#connection.request({ arena: this.#arena.handle, slots: transfers });
    this.#isOneSided = answer.value.oneSided;
  }

  /** The wire to the server. */
  get wire(): WireDescription | undefined {
    return this.#connection.wire;
  }

  /** Whether pages move by one-sided operations; else they travel in messages. */
  get isOneSided(): boolean {
    return this.#isOneSided;
  }

  /** Transfers that have no answer. */
  get pending(): number {
    return this.#transfers.size;
  }

  /** Stores a page; false when the server has no room for it now. Rejects with a {@link PageError}. */
  async pageOut(page: number, bytes: Buffer): Promise<boolean> {
    const slot = await this.#takeSlot(page);
    const checksum = crc32(bytes);
    if (this.#isOneSided) this.#slotBytes(slot).set(bytes);
    else this.#sender.page.set(bytes);
    const status = await this.#request(kinds.pageOut, page, slot, checksum, undefined);
    if (status === 'no-room') {
      this.counts.refused++;
      return false;
    }
    if (status !== 'ok') throw new PageError(status, page);
    this.counts.pagedOut++;
    return true;
  }

  /** Fetches a page into `target`. Rejects with a {@link PageError}: `timeout` when the server does not know the page. */
  async pageIn(page: number, target: Buffer): Promise<void> {
    const slot = await this.#takeSlot(page);
    const status = await this.#request(kinds.pageIn, page, slot, 0, target);
    if (status !== 'ok') throw new PageError(status, page);
    this.counts.pagedIn++;
  }

  /** The server may forget a page. */
  discard(page: number): void {
    this.#send(kinds.discard, 0, page, inMessage, 0, false);
  }

  /** Brings all pages of this client to the server's disk; resolves to how many had to be. Goes the slower way. */
  async flush(): Promise<number> {
    this.#control ??= this.#context.connect(this.#welcome.controlUri, { codec: 'compact' });
    const { clientSession, serverSession } = this.#welcome;
    const { clientId } = this.#options;
    const control = await this.#control;
    return (await control.request({ operation: 'flush', clientId, clientSession, serverSession })).value;
  }

  /** The server may end: nothing of what it has is needed any more. */
  acknowledgeShutdown(): void {
    this.#send(kinds.shutdownAcknowledged, 0, 0, inMessage, 0, false);
  }

  /** Ends the session; the server forgets the pages. */
  async close(): Promise<void> {
    const control = await this.#control?.catch(() => undefined);
    await control?.close();
    await this.#connection.close();
    this.#end('closed');
  }

  // ---- transfers

  #slotBytes(slot: number): Buffer {
    return this.#arena.bytes.subarray(slot * this.pageBytes, (slot + 1) * this.pageBytes);
  }

  async #takeSlot(page: number): Promise<number> {
    for (;;) {
      if (this.#ended !== undefined) throw new PageError(this.#ended, page);
      const slot = this.#freeSlots.pop();
      if (slot !== undefined) return slot;
      await new Promise<void>((resolve) => this.#waitingForSlot.push(resolve));
    }
  }

  #request(kind: number, page: number, slot: number, checksum: number, target: Buffer | undefined): Promise<Status> {
    const requestId = this.#nextRequest;
    this.#nextRequest = (requestId + 1) >>> 0;
    return new Promise<Status>((resolve, reject) => {
      const expiresMs = performance.now() + this.#options.timeoutMs;
      this.#transfers.set(requestId, { page, slot, target, expiresMs, resolve, reject });
      this.#timer ??= setTimeout(() => this.#expire(), this.#options.timeoutMs);
      try {
        const hasPage = kind === kinds.pageOut && !this.#isOneSided;
        this.#send(kind, requestId, page, this.#isOneSided ? slot : inMessage, checksum, hasPage);
      } catch (error) {
        this.#take(requestId);
        reject(error as Error);
      }
    });
  }

  #send(kind: number, requestId: number, page: number, arenaSlot: number, checksum: number, hasPage: boolean): void {
    const { clientSession, serverSession } = this.#welcome;
    const { clientId } = this.#options;
    const status = 'ok';
    const session = { clientId, clientSession, serverSession };
    const message = { kind, status, requestId, ...session, page, checksum, arenaSlot } as const;
    this.#sender.send(this.#connection, message, hasPage);
  }

  /** Takes a transfer out, and gives its slot to the next one. */
  #take(requestId: number): Transfer | undefined {
    const transfer = this.#transfers.get(requestId);
    if (transfer === undefined) return undefined;
    this.#transfers.delete(requestId);
    this.#freeSlots.push(transfer.slot);
    this.#waitingForSlot.shift()?.();
    return transfer;
  }

  #onMessage(message: Message): void {
    const fields = readMessage(message.data, this.pageBytes);
    if (fields === undefined) {
      this.#connection.destroy(new HeddleError('ERR_HEDDLE_PROTOCOL', 'the memory server sent what is no message'));
    } else if (fields.kind === kinds.fenced) this.#end('fenced');
    else if (fields.kind === kinds.shuttingDown) this.#resolveShutdown();
    else this.#onReply(fields, message);
  }

  #onReply(fields: PageMessage, message: Message): void {
    const waiting = this.#transfers.get(fields.requestId);
    const { clientSession, serverSession } = this.#welcome;
    const isOfThisLife = fields.clientSession === clientSession && fields.serverSession === serverSession;
    if (waiting === undefined || waiting.page !== fields.page || !isOfThisLife) {
      this.counts.unknownReplies++;
      return;
    }
    let { status } = fields;
    if (status === 'ok' && waiting.target !== undefined) {
      const bytes = this.#isOneSided ? this.#slotBytes(waiting.slot) : message.data.subarray(headerBytes);
      if (bytes.length === this.pageBytes && crc32(bytes) === fields.checksum) waiting.target.set(bytes);
      else status = 'corrupt';
    }
    this.#take(fields.requestId)?.resolve(status);
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [requestId, transfer] of this.#transfers) {
      if (transfer.expiresMs > nowMs) {
        // The others began later.
        this.#timer = setTimeout(() => this.#expire(), transfer.expiresMs - nowMs + 1);
        return;
      }
      this.#transfers.delete(requestId);
      // The server may yet write to a slot whose transfer was given up: where that can be, it is not used again.
      if (!this.#isOneSided) this.#freeSlots.push(transfer.slot);
      else this.#lostSlots++;
      transfer.reject(new PageError('timeout', transfer.page));
      if (this.#lostSlots * 2 > this.#options.transfers) this.#giveUpArena();
      this.#waitingForSlot.shift()?.();
    }
  }

  /** Too many slots may still be written to: the region is revoked, which ends that for good, and pages go in messages. */
  #giveUpArena(): void {
    this.#isOneSided = false;
    this.#lostSlots = 0;
    this.#arena.revoke();
    const used = new Set([...this.#transfers.values()].map(({ slot }) => slot));
    this.#freeSlots.length = 0;
    for (let slot = 0; slot < this.#options.transfers; slot++) if (!used.has(slot)) this.#freeSlots.push(slot);
  }

  /** The session is over: everyone who waits is told. */
  #end(code: PageError['code']): void {
    if (this.#ended !== undefined) return;
    this.#ended = code;
    clearTimeout(this.#timer);
    for (const { page, reject } of this.#transfers.values()) reject(new PageError(code, page));
    this.#transfers.clear();
    for (const wake of this.#waitingForSlot.splice(0)) wake();
    if (!this.#arena.isRevoked) this.#arena.revoke();
    if (code === 'fenced') this.#connection.destroy();
  }
}
