import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, type Context, HeddleError, type SessionEvent } from 'heddle';
import { CallChannel, CallError, type ChannelOptions, type Procedures } from './call-channel.js';
import { encodeSetup, type Welcome } from './protocol.js';

/** How a client looks for its server. */
export interface SessionOptions {
  readonly clientId: string;
  /** How long to look for a server that is gone. */
  readonly reconnectMs: number;
  readonly reconnectDelayMs: number;
  readonly channel: ChannelOptions;
}

/**
 * A client's session with the metadata server, over any number of connections. When a connection is lost, the next one
 * goes on with the session; when the server does not know the session any more, a new one begins, and `onLost` is told.
 */
export class ClientSession {
  readonly #context: Context;
  readonly #uri: string;
  readonly #options: SessionOptions;
  readonly #procedures: Procedures;
  readonly #onLost: () => void;
  readonly #incarnation = randomUUID();
  #channel: CallChannel | undefined;
  #connection: Connection | undefined;
  #ready: Promise<void> | undefined;
  #isClosed = false;
  leaseMs = 0;
  /** Sessions that the server had forgotten. */
  lostSessions = 0;
  /** Connections after the first. */
  reconnects = -1;

  constructor(context: Context, uri: string, options: SessionOptions, procedures: Procedures, onLost: () => void) {
    this.#context = context;
    this.#uri = uri;
    this.#options = options;
    this.#procedures = procedures;
    this.#onLost = onLost;
  }

  get counts(): CallChannel['counts'] | undefined {
    return this.#channel?.counts;
  }

  /** Resolves when there is a session and a connection; rejects when the server stays away. */
  ready(): Promise<void> {
    if (this.#channel?.isAttached === true) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(new CallError('closed', 'this client was closed'));
    this.#ready ??= this.#connect().finally(() => {
      this.#ready = undefined;
    });
    return this.#ready;
  }

  /** Calls the server. A call made while there is no connection goes out with the next one. */
  // biome-ignore lint/suspicious/noExplicitAny: caller and procedure agree on the type of the reply
  async call(procedure: string, args: unknown): Promise<any> {
    if (this.#channel === undefined) await this.ready();
    return this.#channel!.call(procedure, args);
  }

  async #connect(): Promise<void> {
    const startedMs = Date.now();
    for (;;) {
      try {
        await this.#connectOnce();
        return;
      } catch (error) {
        if (this.#isClosed) throw new CallError('closed', 'this client was closed');
        if (isBadSession(error)) {
          this.#loseSession();
        } else if (Date.now() - startedMs >= this.#options.reconnectMs) {
          this.#loseSession();
          throw new CallError('server-lost', `no connection to ${this.#uri}: ${(error as Error).message}`);
        } else await delay(this.#options.reconnectDelayMs);
      }
    }
  }

  async #connectOnce(): Promise<void> {
    const sessionId = this.#channel?.sessionId;
    const { clientId } = this.#options;
    const connection = await this.#context.connect(this.#uri, {
      privateData: encodeSetup({
        clientId,
        incarnation: this.#incarnation,
        ...(sessionId !== undefined && { sessionId }),
      }),
      onMessage: (message, source) => this.#channel?.receive(message, source),
      onEvent: (event) => this.#onEvent(event),
    });
    if (this.#isClosed) connection.destroy();
    if (!connection.isOnline) throw new CallError('server-lost', 'the connection ended at once');
  }

  #onEvent(event: SessionEvent): void {
    if (event.type === 'connection-established') {
      const { connection } = event;
      const welcome = JSON.parse(connection.session.peerPrivateData.toString()) as Welcome;
      this.leaseMs = welcome.leaseMs;
      this.#channel ??= new CallChannel(welcome.sessionId, this.#options.channel, this.#procedures);
      this.#connection = connection;
      this.reconnects++;
      this.#channel.attach(connection);
    } else if (event.type === 'connection-teardown') {
      if (this.#connection !== event.connection) return;
      this.#connection = undefined;
      this.#channel?.detach(event.connection);
      // Layouts are leases: the way back is looked for at once, not when somebody next wants something.
      if (!this.#isClosed) this.ready().catch(() => {});
    }
  }

  #loseSession(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    this.#channel = undefined;
    this.lostSessions++;
    channel.close();
    this.#onLost();
  }

  /** Ends the session. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#channel?.isAttached === true) {
      await this.#channel.call('end-session', {}).catch(() => {});
    }
    this.#channel?.close();
    await this.#connection?.close();
  }

  /** Ends without a word. */
  vanish(): void {
    this.#isClosed = true;
    this.#channel?.close();
    this.#connection?.destroy();
  }

  /** Ends the connection as a fault would: the session goes on by the next one. */
  dropConnection(): void {
    this.#connection?.destroy();
  }
}

function isBadSession(error: unknown): boolean {
  return error instanceof HeddleError && error.code === 'ERR_HEDDLE_REJECTED' && error.message.endsWith('bad-session');
}
