import { initialTransition, setup, transition } from 'xstate';

/**
 * The life of a connection, as a state machine apart from all I/O: an event goes in, the next state and the effects
 * to carry out come out. The closing half is TCP's (RFC 9293, figure 5), so that either side may close, or both at once.
 *
 * ```
 *  init --open--> established --welcomed--> online --close--> fin-wait-1 --finAcked--> fin-wait-2 --finReceived--> time-wait
 *                     ^   link lost, to be resumed |              |                                              ^    |
 *                     +----------------------------+              +--finReceived--> closing --finAcked-----------+  finAckSent
 *                                                  |                                                                  v
 *                                                  +--finReceived--> close-wait --finSent--> last-ack --finAcked--> closed
 *  a fault: disconnected (the wire or the peer is gone), error (the peer broke the protocol)
 * ```
 *
 * Links lose nothing and keep order, so time-wait waits for room for the acknowledgement of the peer's fin and for nothing else: mostly
 * it passes at once. A wire that is lost before the peer has acknowledged the fin may have taken messages with it: that is no close but
 * a fault, whoever wished to close.
 */
export type ConnectionState =
  | 'init'
  | 'established'
  | 'online'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'closing'
  | 'time-wait'
  | 'close-wait'
  | 'last-ack'
  | 'closed'
  | 'disconnected'
  | 'error';

/** What can happen to a connection. */
export type ConnectionEvent =
  | { type: 'open' }
  | { type: 'welcomed' }
  | { type: 'close' }
  | { type: 'destroy' }
  | { type: 'abandon' }
  | { type: 'finSent' }
  | { type: 'finReceived' }
  | { type: 'finAcked' }
  | { type: 'finAckSent' }
  | { type: 'linkLost'; resumable: boolean }
  | { type: 'resumeFailed' }
  | { type: 'fault' };

/** What the connection has to do about it, in this order. */
export type ConnectionEffect =
  | 'queueFin'
  | 'sendFinAck'
  | 'announceEstablished'
  | 'announceReconnecting'
  | 'announceReconnected'
  | 'announceClosed'
  | 'announceDisconnected'
  | 'announceError'
  | 'flushMessages'
  | 'tearDown';

const nothing = () => {};

const machine = setup({
  types: { events: {} as ConnectionEvent },
  actions: {
    queueFin: nothing,
    sendFinAck: nothing,
    announceEstablished: nothing,
    announceReconnecting: nothing,
    announceReconnected: nothing,
    announceClosed: nothing,
    announceDisconnected: nothing,
    announceError: nothing,
    flushMessages: nothing,
    tearDown: nothing,
  },
  guards: {
    resumable: ({ event }) => event.type === 'linkLost' && event.resumable,
  },
}).createMachine({
  initial: 'init',
  // By request of this side, though without a word to the peer, in whatever state it is; `abandon` is for a reason that is told.
  on: { destroy: '.closed', abandon: '.disconnected' },
  states: {
    init: {
      on: { open: 'established', close: 'closed', linkLost: 'disconnected', fault: 'error' },
    },
    established: {
      on: {
        welcomed: { target: 'online', actions: ['announceEstablished'] },
        close: 'closed',
        linkLost: 'disconnected',
        fault: 'error',
      },
    },
    online: {
      on: {
        close: { target: 'fin-wait-1', actions: ['queueFin'] },
        finReceived: { target: 'close-wait', actions: ['sendFinAck'] },
        linkLost: [
          { guard: 'resumable', target: 'resuming', actions: ['announceReconnecting'] },
          { target: 'disconnected' },
        ],
        fault: 'error',
      },
    },
    // Shown as `established`: the connection is known to both sides and waits for a wire.
    resuming: {
      on: {
        welcomed: { target: 'online', actions: ['announceReconnected'] },
        close: 'closed',
        linkLost: [{ guard: 'resumable', target: 'resuming' }, { target: 'disconnected' }],
        resumeFailed: 'disconnected',
        fault: 'error',
      },
    },
    'fin-wait-1': {
      on: {
        finAcked: 'fin-wait-2',
        finReceived: { target: 'closing', actions: ['sendFinAck'] },
        linkLost: 'disconnected',
        fault: 'error',
      },
    },
    'fin-wait-2': {
      on: { finReceived: { target: 'time-wait', actions: ['sendFinAck'] }, linkLost: 'closed', fault: 'error' },
    },
    closing: {
      on: { finAcked: 'time-wait', finAckSent: 'closing-answered', linkLost: 'disconnected', fault: 'error' },
    },
    // Shown as `closing`.
    'closing-answered': {
      on: { finAcked: 'closed', linkLost: 'disconnected', fault: 'error' },
    },
    'time-wait': {
      on: { finAckSent: 'closed', linkLost: 'closed', fault: 'error' },
    },
    'close-wait': {
      // What is queued still goes out, then the fin behind it.
      entry: ['queueFin'],
      on: { finSent: 'last-ack', linkLost: 'disconnected', fault: 'error' },
    },
    'last-ack': {
      on: { finAcked: 'closed', linkLost: 'disconnected', fault: 'error' },
    },
    closed: { type: 'final', entry: ['announceClosed', 'flushMessages', 'tearDown'] },
    disconnected: { type: 'final', entry: ['announceDisconnected', 'flushMessages', 'tearDown'] },
    error: { type: 'final', entry: ['announceError', 'flushMessages', 'tearDown'] },
  },
});

type Snapshot = ReturnType<typeof initialTransition<typeof machine>>[0];

const unacknowledged: ReadonlySet<string> = new Set([
  'fin-wait-1',
  'closing',
  'closing-answered',
  'close-wait',
  'last-ack',
]);

/** States of the machine that users see by the name of another one. */
const shownAs: ReadonlyMap<string, ConnectionState> = new Map([
  ['resuming', 'established'],
  ['closing-answered', 'closing'],
]);

const [initialSnapshot] = initialTransition(machine);

/** One connection's place in its machine. */
export class ConnectionLife {
  #snapshot: Snapshot = initialSnapshot;

  /** The state by the machine's own name. */
  get machineState(): string {
    return this.#snapshot.value;
  }

  /** The state by the name that users see. */
  get state(): ConnectionState {
    return shownAs.get(this.machineState) ?? (this.machineState as ConnectionState);
  }

  /** Whether the connection has lost its link and waits for another. */
  get isResuming(): boolean {
    return this.machineState === 'resuming';
  }

  /** Whether it is closing, and the peer has not said yet that it has all that was sent. */
  get isUnacknowledged(): boolean {
    return unacknowledged.has(this.machineState);
  }

  /** Whether nothing can happen to it any more. */
  get isOver(): boolean {
    return this.#snapshot.status === 'done';
  }

  /** Takes `event` and returns the effects to carry out, in order. An event that does not apply has none. */
  handle(event: ConnectionEvent): ConnectionEffect[] {
    if (this.isOver) return [];
    const [next, actions] = transition(machine, this.#snapshot, event);
    this.#snapshot = next;
    return actions.map((action) => action.type as ConnectionEffect);
  }
}
