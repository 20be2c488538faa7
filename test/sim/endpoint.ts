import type { Connection } from '../../src/runtime/session/connection.js';
import type { ConnectionState } from '../../src/runtime/session/connection-machine.js';
import type { SessionEvent } from '../../src/runtime/session/events.js';
import type { SimulatedContext } from './simulated-context.js';

/** Which states a connection may be seen in after another: the machine's ways, with those that pass at once left out. */
const ways: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  init: ['established', 'online', 'closed', 'disconnected', 'error'],
  established: ['online', 'fin-wait-1', 'close-wait', 'last-ack', 'closed', 'disconnected', 'error'],
  online: [
    'established',
    'fin-wait-1',
    'fin-wait-2',
    'closing',
    'time-wait',
    'close-wait',
    'last-ack',
    'closed',
    'disconnected',
    'error',
  ],
  'fin-wait-1': ['fin-wait-2', 'closing', 'time-wait', 'closed', 'disconnected', 'error'],
  'fin-wait-2': ['time-wait', 'closed', 'error'],
  closing: ['time-wait', 'closed', 'disconnected', 'error'],
  'time-wait': ['closed', 'error'],
  'close-wait': ['last-ack', 'closed', 'disconnected', 'error'],
  'last-ack': ['closed', 'disconnected', 'error'],
  closed: [],
  disconnected: [],
  error: [],
};

/** One end of a connection, as its user sees it: what happened to it, and whether that was in order. */
export class Endpoint {
  readonly number: number;
  readonly context: SimulatedContext;
  readonly connection: Connection;
  readonly side: 'client' | 'server';
  /** The same at both ends. */
  readonly key: string;
  /** Names of the connection's events, in order. */
  readonly events: string[] = [];
  nextPost = 0;
  nextAnswer = 0;
  lastPostSeen = -1;
  lastAnswerSeen = -1;
  #lastState: ConnectionState = 'init';
  readonly #fail: (what: string) => void;

  constructor(
    number: number,
    context: SimulatedContext,
    connection: Connection,
    side: 'client' | 'server',
    fail: (what: string) => void,
  ) {
    this.number = number;
    this.context = context;
    this.connection = connection;
    this.side = side;
    this.key = `${connection.session.id} ${connection.index}`;
    this.#fail = fail;
  }

  get isOver(): boolean {
    return this.events.includes('connection-teardown');
  }

  get hasEnded(): boolean {
    return this.events.some((name) => /^connection-(closed|disconnected|error)$/.test(name));
  }

  /** The state may only have moved along the machine. */
  checkState(): void {
    const { state } = this.connection;
    if (state === this.#lastState) return;
    if (!ways[this.#lastState].includes(state)) this.#fail(`state went from ${this.#lastState} to ${state}: ${this}`);
    this.#lastState = state;
  }

  onEvent(event: SessionEvent): void {
    this.checkState();
    const { events } = this;
    const name = event.type;
    const was = (pattern: RegExp) => events.some((one) => pattern.test(one));
    const expect = (condition: boolean) => {
      if (!condition) this.#fail(`${name} after ${events.join(', ') || 'nothing'}: ${this}`);
    };
    const last = events.filter((one) => one !== 'message-error').at(-1);
    switch (name) {
      case 'connection-established':
        expect(!was(/^connection/));
        break;
      case 'connection-reconnecting':
        expect(last === 'connection-established' || last === 'connection-reconnected');
        break;
      case 'connection-reconnected':
        expect(last === 'connection-reconnecting');
        break;
      case 'connection-closed':
      case 'connection-disconnected':
      case 'connection-error':
        expect(!this.hasEnded && !this.isOver);
        break;
      case 'message-error':
        if (event.status === 'flushed') expect(!this.isOver);
        break;
      case 'connection-teardown':
        expect(this.hasEnded && !this.isOver);
        break;
    }
    events.push(name);
  }

  toString(): string {
    return `${this.side} end ${this.number} on context ${this.context.id} of ${this.key.slice(0, 6)}`;
  }
}
