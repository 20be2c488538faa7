import { randomInt } from 'node:crypto';
import {
  type Clock,
  type Connection,
  type Context,
  type Server,
  type SessionEvent,
  type SessionRequest,
  systemClock,
  type Timer,
} from 'heddle';
import { CallChannel, CallError, type ChannelOptions } from './call-channel.js';
import { FileStore } from './file-store.js';
import { type Layout, LayoutTable } from './layout-table.js';
import {
  blockBytes,
  check,
  encodeSetup,
  type Introduction,
  type LayoutRequest,
  maximumLayoutBytes,
  maximumTransferBytes,
  readIntroduction,
  serverChannel,
} from './protocol.js';

/** How a metadata server behaves. */
export interface MetadataServerOptions {
  /** Where the files are. */
  readonly folder: string;
  /** How long a client's layouts outlive its connection, and how long it may use them without renewing. */
  readonly leaseMs?: number;
  /** How long a client has to return a layout that is recalled; at least `leaseMs`. Then it is revoked. */
  readonly recallTimeoutMs?: number;
  readonly maximumClients?: number;
  readonly maximumLayoutsPerClient?: number;
  readonly channel?: ChannelOptions;
  readonly clock?: Clock;
}

/** A client with a session; the connection under it may be gone. */
interface Client extends Introduction {
  readonly sessionId: number;
  readonly channel: CallChannel;
  readonly layouts: Map<number, ClientLayout>;
  connection: Connection | undefined;
  expiry: Timer | undefined;
}

interface ClientLayout extends Layout<Client> {
  recallTimer: Timer | undefined;
  /** Whether the client knows that it has it: the time to return it does not begin before. */
  isKnown: boolean;
}

/** Hands out layouts, recalls them when others want them, and revokes those that do not come back. */
export class MetadataServer {
  readonly counts = { granted: 0, recalled: 0, revoked: 0, fenced: 0, expiredClients: 0 };
  readonly #options: Required<MetadataServerOptions>;
  readonly #store: FileStore;
  readonly #table = new LayoutTable<Client>();
  readonly #clients = new Map<string, Client>();
  /** Whose session it is that has been accepted, by its name, until the connection is there. */
  readonly #accepted = new Map<string, Client>();
  #server!: Server;
  /** Until then, clients of a server that died here may use what they had. */
  #graceEndsMs = 0;

  constructor(options: MetadataServerOptions) {
    const leaseMs = options.leaseMs ?? 10_000;
    this.#options = {
      leaseMs,
      recallTimeoutMs: leaseMs,
      maximumClients: 1000,
      maximumLayoutsPerClient: 4096,
      channel: serverChannel,
      clock: systemClock,
      ...options,
    };
    // A client that hears nothing may use what it has for a lease: nobody else may have it before.
    if (this.#options.recallTimeoutMs < leaseMs) throw new RangeError('recallTimeoutMs must be at least leaseMs');
    this.#store = new FileStore(options.folder);
    if (!this.#store.begin()) this.#graceEndsMs = this.#nowMs() + leaseMs;
  }

  /** Listens; the real URI is in `uri` then. */
  async listen(context: Context, uri: string): Promise<this> {
    this.#server = await context.listen(uri, {
      onSession: (request) => this.#onSession(request),
      onEvent: (event) => this.#onEvent(event),
      onMessage: (message, connection) => (connection.userData as Client).channel.receive(message, connection),
    });
    return this;
  }

  get uri(): string {
    return this.#server.uri;
  }

  /** Clients with a session, connected or not. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Layouts that are held or waited for. */
  get layouts(): number {
    let layouts = 0;
    for (const client of this.#clients.values()) layouts += client.layouts.size;
    return layouts;
  }

  /** What happened on the channel of a client; undefined when it has no session. */
  channelCounts(clientId: string): CallChannel['counts'] | undefined {
    return this.#clients.get(clientId)?.channel.counts;
  }

  /** Lets the calls that run come to their end, then ends all sessions and closes the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map(({ channel }) => channel.drain()));
    const closed = this.#server.close();
    for (const client of [...this.#clients.values()]) this.#forget(client);
    await closed;
    this.#store.end();
  }

  #nowMs(): number {
    return this.#options.clock.nowMicros() / 1000;
  }

  #onSession(request: SessionRequest): void {
    const introduction = readIntroduction(request.privateData);
    if (introduction === undefined) {
      request.reject('bad-introduction');
      return;
    }
    const known = this.#clients.get(introduction.clientId);
    const isSame = known?.incarnation === introduction.incarnation;
    let client = known;
    if (introduction.sessionId !== undefined) {
      if (!isSame || known.sessionId !== introduction.sessionId) {
        request.reject('bad-session');
        return;
      }
    } else if (known?.connection !== undefined && !isSame) {
      // Two with one name, both alive: the second may try again when the first has gone.
      request.reject('client-in-use');
      return;
    } else {
      // Who begins anew holds nothing any more: it is the client after a crash, or after it gave its session up.
      if (known !== undefined) this.#forget(known);
      client = this.#clients.size < this.#options.maximumClients ? this.#makeClient(introduction) : undefined;
    }
    if (client === undefined) {
      request.reject('too-many-clients');
      return;
    }
    this.#accepted.set(request.sessionId, client);
    const { sessionId } = client;
    request.accept({ privateData: encodeSetup({ sessionId, leaseMs: this.#options.leaseMs }) });
  }

  #makeClient(introduction: Introduction): Client {
    const sessionId = randomInt(2 ** 32);
    const client: Client = {
      ...introduction,
      sessionId,
      channel: new CallChannel(
        sessionId,
        this.#options.channel,
        {
          'layout-get': (request: LayoutRequest) => this.#layoutGet(client, request),
          'layout-return': ({ id }: { id: number }) => this.#take(client, id),
          read: (args: { id: number; start: number; end: number }) => this.#read(client, args),
          write: (args: { id: number; start: number; bytes: Uint8Array }) => this.#write(client, args),
          // Not those that are being recalled: who hears of a recall in no other way hears of it in this.
          renew: () => ({
            held: [...client.layouts.values()].filter((one) => one.isHeld && !one.recallTimer).map(({ id }) => id),
          }),
          'end-session': () => void this.#options.clock.setTimer(0, () => this.#forget(client)),
        },
        this.#options.clock,
      ),
      layouts: new Map(),
      connection: undefined,
      expiry: undefined,
    };
    this.#clients.set(client.clientId, client);
    this.#letExpire(client);
    return client;
  }

  #letExpire(client: Client): void {
    client.expiry = this.#options.clock.setTimer(this.#options.leaseMs, () => {
      this.counts.expiredClients++;
      this.#forget(client);
    });
  }

  #onEvent(event: SessionEvent): void {
    if (event.type === 'connection-established') {
      const { connection } = event;
      const client = this.#accepted.get(connection.session.id);
      this.#accepted.delete(connection.session.id);
      if (client === undefined || this.#clients.get(client.clientId) !== client) {
        connection.destroy();
        return;
      }
      connection.userData = client;
      client.expiry?.cancel();
      // A client that comes back before its loss was noticed here.
      client.connection?.destroy();
      client.connection = connection;
      client.channel.attach(connection);
    } else if (event.type === 'connection-teardown') {
      const client = event.connection.userData as Client | undefined;
      if (client === undefined || client.connection !== event.connection) return;
      client.connection = undefined;
      client.channel.detach(event.connection);
      if (this.#clients.get(client.clientId) === client) this.#letExpire(client);
    } else if (event.type === 'session-teardown') {
      this.#accepted.delete(event.session.id);
    }
  }

  /** The end of a session: its layouts are free for others. */
  #forget(client: Client): void {
    client.expiry?.cancel();
    if (this.#clients.get(client.clientId) === client) this.#clients.delete(client.clientId);
    const { connection } = client;
    client.connection = undefined;
    client.channel.close();
    connection?.close();
    for (const layout of [...client.layouts.values()]) this.#release(layout);
  }

  // ---- layouts

  async #layoutGet(client: Client, request: LayoutRequest): Promise<{ granted: boolean }> {
    const id = check.id(request?.id);
    const range = check.range(request.start, request.end, maximumLayoutBytes);
    if (range.start % blockBytes !== 0 || range.end % blockBytes !== 0) {
      throw new CallError('bad-argument', `layouts begin and end at multiples of ${blockBytes}`);
    }
    if (client.layouts.has(id)) throw new CallError('bad-argument', `id=${id} is in use`);
    if (client.layouts.size >= this.#options.maximumLayoutsPerClient) {
      throw new CallError('too-many-layouts', `the client has ${client.layouts.size}: return some`);
    }
    const layout: ClientLayout = {
      ...range,
      client,
      id,
      file: check.file(request.file),
      mode: check.mode(request.mode),
      isHeld: false,
      recallTimer: undefined,
      isKnown: false,
    };
    client.layouts.set(id, layout);
    await this.#graceOver();
    // Its client may have gone meanwhile.
    if (client.layouts.get(id) !== layout) return { granted: false };
    this.counts.granted += this.#table.request(layout).length;
    // Granted at once, it is known by the reply.
    layout.isKnown = layout.isHeld;
    this.#recallWhatIsInTheWay(layout.file);
    return { granted: layout.isHeld };
  }

  async #graceOver(): Promise<void> {
    const leftMs = this.#graceEndsMs - this.#nowMs();
    if (leftMs > 0) await new Promise<void>((resolve) => void this.#options.clock.setTimer(leftMs, resolve));
  }

  #recallWhatIsInTheWay(file: string): void {
    for (const layout of this.#table.inTheWay(file) as ClientLayout[]) {
      if (layout.recallTimer !== undefined || !layout.isKnown) continue;
      this.counts.recalled++;
      layout.recallTimer = this.#options.clock.setTimer(this.#options.recallTimeoutMs, () => this.#revoke(layout));
      layout.client.channel.call('recall', { id: layout.id }).then(
        ({ isKnown }) => {
          // It has been returned, or was never taken: the return is on its way, and says nothing new.
          if (isKnown === false) this.#release(layout);
        },
        () => {
          // Not answered, or answered wrongly: the timer decides.
        },
      );
    }
  }

  #revoke(layout: ClientLayout): void {
    this.counts.revoked++;
    this.#release(layout);
    layout.client.channel.call('revoked', { id: layout.id }).catch(() => {});
  }

  #take(client: Client, id: number): void {
    const layout = client.layouts.get(check.id(id));
    if (layout !== undefined) this.#release(layout);
  }

  /** A layout is nobody's any more: those who waited for it get it. */
  #release(layout: ClientLayout): void {
    const { client, id, file } = layout;
    if (client.layouts.get(id) !== layout) return;
    client.layouts.delete(id);
    layout.recallTimer?.cancel();
    for (const granted of this.#table.remove(layout) as ClientLayout[]) {
      this.counts.granted++;
      granted.client.channel.call('granted', { id: granted.id }).then(
        () => {
          granted.isKnown = true;
          this.#recallWhatIsInTheWay(granted.file);
        },
        // It does not know that it has it: nobody would ever return it.
        () => this.#release(granted),
      );
    }
    this.#recallWhatIsInTheWay(file);
  }

  // ---- data

  #read(client: Client, args: { id: number; start: number; end: number }): Buffer {
    const { start, end } = check.range(args?.start, args?.end, maximumTransferBytes);
    return this.#store.read(this.#held(client, args.id, start, end).file, start, end);
  }

  #write(client: Client, args: { id: number; start: number; bytes: Uint8Array }): void {
    const bytes = check.bytes(args?.bytes);
    const { start, end } = check.range(args.start, args.start + bytes.length, maximumTransferBytes);
    const layout = this.#held(client, args.id, start, end);
    if (layout.mode !== 'write') throw new CallError('bad-argument', `layout id=${args.id} is for reading`);
    this.#store.write(layout.file, start, bytes);
  }

  /** The layout that allows for this; a client that has lost it is fenced off here. */
  #held(client: Client, id: number, start: number, end: number): ClientLayout {
    const layout = client.layouts.get(check.id(id));
    if (layout?.isHeld && layout.start <= start && end <= layout.end) return layout;
    this.counts.fenced++;
    throw new CallError('no-layout', `the client has no layout id=${id} for start=${start} end=${end}`);
  }
}
