import { initialTransition, setup, transition } from 'xstate';

/**
 * The life of a session, client or server side, as a state machine apart from all I/O.
 *
 * ```
 *  init --connect--> connect --accepted--------------> online --close, or the last connection gone--> closing --> closed
 *                    ^  |  +---acceptedWithPortals--> accepted --connectionOnline--> online
 *                    |  +---redirected--> redirected --connect-+
 *                    |  |                                      |
 *                    +--|--------------------------------------+
 *                       +--rejected--> rejected      (the service said no)
 *                       +--refused---> refused       (no service could be reached)
 * ```
 *
 * A server's session starts with `connect` when the setup arrives and goes the same way by its own decision.
 */
export type SessionState =
  | 'init'
  | 'connect'
  | 'online'
  | 'redirected'
  | 'accepted'
  | 'rejected'
  | 'refused'
  | 'closing'
  | 'closed';

/** What can happen to a session. */
export type SessionEventInput =
  | { type: 'connect' }
  | { type: 'accepted' }
  | { type: 'acceptedWithPortals' }
  | { type: 'connectionOnline' }
  | { type: 'redirected' }
  | { type: 'rejected' }
  | { type: 'refused' }
  | { type: 'close' }
  | { type: 'lastConnectionGone' };

/** What the session has to do about it, in this order. */
export type SessionEffect = 'announceEstablished' | 'announceRejected' | 'announceRefused' | 'tearDown';

const nothing = () => {};

const machine = setup({
  types: { events: {} as SessionEventInput },
  actions: { announceEstablished: nothing, announceRejected: nothing, announceRefused: nothing, tearDown: nothing },
}).createMachine({
  initial: 'init',
  states: {
    init: { on: { connect: 'connect', close: 'closed', lastConnectionGone: 'closed' } },
    connect: {
      on: {
        accepted: { target: 'online', actions: ['announceEstablished'] },
        acceptedWithPortals: 'accepted',
        redirected: 'redirected',
        rejected: { target: 'rejected', actions: ['announceRejected'] },
        refused: { target: 'refused', actions: ['announceRefused'] },
        close: 'closing',
        lastConnectionGone: 'closed',
      },
    },
    redirected: { on: { connect: 'connect', close: 'closing', lastConnectionGone: 'closed' } },
    accepted: {
      on: {
        connectionOnline: { target: 'online', actions: ['announceEstablished'] },
        refused: { target: 'refused', actions: ['announceRefused'] },
        close: 'closing',
        lastConnectionGone: 'closed',
      },
    },
    online: { on: { close: 'closing', lastConnectionGone: 'closed' } },
    // A session that was refused or rejected has one thing left: its lead connection's teardown.
    rejected: { on: { lastConnectionGone: 'closed' } },
    refused: { on: { lastConnectionGone: 'closed' } },
    closing: { on: { lastConnectionGone: 'closed' } },
    closed: { type: 'final', entry: ['tearDown'] },
  },
});

type Snapshot = ReturnType<typeof initialTransition<typeof machine>>[0];

const [initialSnapshot] = initialTransition(machine);

/** One session's place in its machine. */
export class SessionLife {
  #snapshot: Snapshot = initialSnapshot;

  /** The state, by the name that users see. */
  get state(): SessionState {
    return this.#snapshot.value as SessionState;
  }

  /** Whether nothing can happen to it any more. */
  get isOver(): boolean {
    return this.#snapshot.status === 'done';
  }

  /** Takes `event` and returns the effects to carry out, in order. An event that does not apply has none. */
  handle(event: SessionEventInput): SessionEffect[] {
    if (this.isOver) return [];
    const [next, actions] = transition(machine, this.#snapshot, event);
    this.#snapshot = next;
    return actions.map((action) => action.type as SessionEffect);
  }
}
