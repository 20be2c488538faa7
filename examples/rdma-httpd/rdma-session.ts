import type { FileHandle } from 'node:fs/promises';
import { type Connection, type Context, HeddleError, type Region, type RemoteRegion, type SharedBuffer } from 'heddle';
import type { ServerConfig } from './config.js';
import type { ClientGreeting, RdmaOffer, Segment, ServerGreeting, TransferMode } from './rdma-header.js';

/** How long a client's portal may take to answer before its body goes by HTTP instead. */
const connectTimeoutMs = 3000;

/** The server's side of an RDMA session with one client, which belongs to one HTTP connection. */
export class RdmaSession {
  readonly offer: Pick<RdmaOffer, 'uri' | 'token'>;
  readonly context: Context;
  readonly connection: Connection;
  /** The client's memory. */
  readonly landing: RemoteRegion;
  /** This side's memory: files are read into it, and clients read from it. A slot here and one there go together. */
  readonly staging: Region;
  readonly slotBytes: number;
  readonly #freeSlots: number[];
  readonly #waiting: ((slot: number | undefined) => void)[] = [];

  private constructor(
    context: Context,
    offer: RdmaOffer,
    connection: Connection,
    staging: Region,
    landing: RemoteRegion,
    { slots, slotBytes }: { slots: number; slotBytes: number },
  ) {
    this.context = context;
    this.offer = { uri: offer.uri, token: offer.token };
    this.connection = connection;
    this.staging = staging;
    this.landing = landing;
    this.slotBytes = slotBytes;
    this.#freeSlots = Array.from({ length: slots }, (_, slot) => slot);
    void connection.ended.then(() => {
      for (const wake of this.#waiting.splice(0)) wake(undefined);
    });
  }

  /** Opens a session with the portal that a client has named. Rejects when it does not answer as one should. */
  static async open(context: Context, offer: RdmaOffer, config: ServerConfig['rdma']): Promise<RdmaSession> {
    const staging = context.exportRegion(context.allocate(config.slots * config.slotBytes), { rights: ['read'] });
    let connection: Connection | undefined;
    try {
      const { slots, slotBytes } = config;
      const greeting: ServerGreeting = { token: offer.token, staging: staging.handle, slots, slotBytes };
      connection = await context.connect(offer.uri, {
        privateData: Buffer.from(JSON.stringify(greeting)),
        options: { connectTimeoutMs },
      });
      const answer = readGreeting(connection.session.peerPrivateData);
      const landing = await connection.openRegion(answer.landing);
      const agreed = { slots: Math.min(slots, answer.slots), slotBytes: Math.min(slotBytes, answer.slotBytes) };
      if (landing.lengthBytes < answer.slots * answer.slotBytes)
        throw badGreeting('its memory is smaller than it says');
      return new RdmaSession(context, offer, connection, staging, landing, agreed);
    } catch (error) {
      connection?.destroy();
      await connection?.ended;
      staging.revoke();
      throw error;
    }
  }

  get isAlive(): boolean {
    return this.connection.isOnline;
  }

  /** A slot that is in no use, when there is one. Rejects when the session has ended. */
  async takeSlot(): Promise<number> {
    const free = this.isAlive ? this.#freeSlots.pop() : undefined;
    if (free !== undefined) return free;
    const slot = this.isAlive ? await new Promise<number | undefined>((wake) => this.#waiting.push(wake)) : undefined;
    if (slot !== undefined) return slot;
    throw new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the RDMA session with the client has ended');
  }

  freeSlot(slot: number): void {
    const wake = this.#waiting.shift();
    if (wake !== undefined) wake(slot);
    else this.#freeSlots.push(slot);
  }

  /** Ends all that is under way on it: every operation and request settles. */
  destroy(): void {
    this.connection.destroy();
  }

  /** Gives its memory back: nothing may use it any more. */
  async release(): Promise<void> {
    this.destroy();
    await this.connection.ended;
    this.staging.revoke();
  }
}

function readGreeting(data: Buffer): ClientGreeting {
  let greeting: Partial<ClientGreeting>;
  try {
    greeting = JSON.parse(data.toString()) as Partial<ClientGreeting>;
  } catch (error) {
    throw badGreeting(String(error));
  }
  const { landing, slots, slotBytes } = greeting;
  const isSize = (value: unknown, maximum: number) =>
    Number.isInteger(value) && (value as number) > 0 && (value as number) <= maximum;
  if (landing === undefined || !isSize(slots, 1024) || !isSize(slotBytes, 2 ** 26)) throw badGreeting(data.toString());
  return greeting as ClientGreeting;
}

function badGreeting(why: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_PROTOCOL', `the client's portal answered with no greeting: ${why.slice(0, 200)}`);
}

/** One body on its way to the client, segment by segment. */
export class RdmaStream {
  /** Bytes whose way to the client has begun, and bytes that the client has taken. */
  shippedBytes = 0;
  takenBytes = 0;
  readonly #session: RdmaSession;
  readonly #stream: number;
  readonly #mode: TransferMode;
  readonly #underWay = new Set<Promise<void>>();
  /** Resolves when the last segment was told to the client: segments are told in order. */
  #told: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(session: RdmaSession, { stream, mode }: RdmaOffer) {
    this.#session = session;
    this.#stream = stream;
    this.#mode = mode;
  }

  /** Data in an open file. */
  async shipFile(file: FileHandle, offset: number, lengthBytes: number): Promise<void> {
    const { slotBytes } = this.#session;
    for (let done = 0; done < lengthBytes; ) {
      const length = Math.min(slotBytes, lengthBytes - done);
      await this.#shipSlot(length, async (bytes) => {
        for (let filled = 0; filled < length; ) {
          const { bytesRead } = await file.read(bytes, filled, length - filled, offset + done + filled);
          if (bytesRead === 0) throw new Error(`the file ends at ${offset + done + filled}, before its length`);
          filled += bytesRead;
        }
      });
      done += length;
    }
  }

  /** Data that has to be copied: the producer may use it again when this has resolved. */
  async shipTransient(data: Uint8Array): Promise<void> {
    const { slotBytes } = this.#session;
    for (let start = 0; start < data.length; start += slotBytes) {
      const piece = data.subarray(start, start + slotBytes);
      await this.#shipSlot(piece.length, (bytes) => void bytes.set(piece));
    }
  }

  /** Data in a buffer, which is sent from where it lies and released when the client has it. */
  async shipHeap(buffer: SharedBuffer): Promise<void> {
    const { slotBytes, context } = this.#session;
    const region = context.exportRegion(buffer, { rights: ['read'] });
    const segments: Promise<void>[] = [];
    try {
      for (let start = 0; start < region.lengthBytes; start += slotBytes) {
        const bytes = region.bytes.subarray(start, start + slotBytes);
        const slot = await this.#takeSlot();
        segments.push(this.#ship(slot, bytes, { place: region.handle, offset: start }));
      }
    } finally {
      // Not waited for here: the next segment may be prepared meanwhile.
      void Promise.allSettled(segments).then(() => region.revoke());
    }
  }

  /** The end of the stream: waits for every completion. Rejects when any segment did not arrive. */
  async finish(): Promise<number> {
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.takenBytes;
  }

  /** Waits until nothing is under way, whatever came of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #takeSlot(): Promise<number> {
    const slot = await this.#session.takeSlot();
    if (this.#failure === undefined) return slot;
    this.#session.freeSlot(slot);
    throw this.#failure.error;
  }

  /** Fills a slot of the staging memory, and ships it. */
  async #shipSlot(lengthBytes: number, fill: (bytes: Buffer) => void | Promise<void>): Promise<void> {
    const { slotBytes, staging } = this.#session;
    const slot = await this.#takeSlot();
    const offset = slot * slotBytes;
    const bytes = staging.bytes.subarray(offset, offset + lengthBytes);
    try {
      await fill(bytes);
    } catch (error) {
      this.#session.freeSlot(slot);
      throw error;
    }
    void this.#ship(slot, bytes, { place: 'staging', offset });
  }

  /** Begins one segment's way to the client. The promise tells its end, and never rejects. */
  #ship(slot: number, bytes: Buffer, source: Pick<Segment, 'place' | 'offset'>): Promise<void> {
    this.shippedBytes += bytes.length;
    const segment = this.#carry(slot, bytes, source)
      .then(() => {
        this.takenBytes += bytes.length;
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#underWay.delete(segment);
        this.#session.freeSlot(slot);
      });
    this.#underWay.add(segment);
    return segment;
  }

  async #carry(slot: number, bytes: Buffer, source: Pick<Segment, 'place' | 'offset'>): Promise<void> {
    const { connection, landing, slotBytes } = this.#session;
    const { length: lengthBytes } = bytes;
    const offset = slot * slotBytes;
    const isWritten = this.#mode === 'server-writes';
    const before = this.#told;
    const written = isWritten ? landing.write(offset, bytes) : undefined;
    let taken: Promise<unknown> | undefined;
    this.#told = Promise.all([before, written]).then(() => {
      const place = isWritten ? ({ place: 'landing', offset } as const) : source;
      taken = connection.request({ stream: this.#stream, lengthBytes, ...place } satisfies Segment);
      taken.catch(() => {});
    });
    this.#told.catch(() => {});
    await this.#told;
    await taken;
  }
}
