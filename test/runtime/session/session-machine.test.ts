import test from 'ava';
import {
  type SessionEffect,
  type SessionEventInput,
  SessionLife,
} from '../../../src/runtime/session/session-machine.js';

const types = [
  'connect',
  'accepted',
  'acceptedWithPortals',
  'connectionOnline',
  'redirected',
  'rejected',
  'refused',
  'close',
  'lastConnectionGone',
] as const satisfies readonly SessionEventInput['type'][];

type Type = (typeof types)[number];

function after(sequence: readonly Type[]): { life: SessionLife; effects: SessionEffect[] } {
  const life = new SessionLife();
  const effects = sequence.flatMap((type) => life.handle({ type }));
  return { life, effects };
}

function shortestWays(): Map<string, Type[]> {
  const ways = new Map<string, Type[]>([['init', []]]);
  for (const [, way] of ways) {
    for (const type of types) {
      const longer = [...way, type];
      const { state } = after(longer).life;
      if (!ways.has(state)) ways.set(state, longer);
    }
  }
  return ways;
}

function* sequences(length: number): Generator<Type[]> {
  if (length === 0) yield [];
  else for (const rest of sequences(length - 1)) for (const type of types) yield [...rest, type];
}

test('the machine is exactly this table', (t) => {
  const table: Record<string, Record<string, string>> = {};
  for (const [place, way] of shortestWays()) {
    const row: Record<string, string> = {};
    for (const type of types) {
      const { life } = after(way);
      const effects = life.handle({ type });
      if (life.state !== place || effects.length > 0) row[type] = [life.state, ...effects].join(' ');
    }
    table[place] = row;
  }
  const lastConnectionGone = 'closed tearDown';
  t.deepEqual(table, {
    init: { connect: 'connect', close: 'closed tearDown', lastConnectionGone },
    connect: {
      accepted: 'online announceEstablished',
      acceptedWithPortals: 'accepted',
      redirected: 'redirected',
      rejected: 'rejected announceRejected',
      refused: 'refused announceRefused',
      close: 'closing',
      lastConnectionGone,
    },
    redirected: { connect: 'connect', close: 'closing', lastConnectionGone },
    accepted: {
      connectionOnline: 'online announceEstablished',
      refused: 'refused announceRefused',
      close: 'closing',
      lastConnectionGone,
    },
    online: { close: 'closing', lastConnectionGone },
    rejected: { lastConnectionGone },
    refused: { lastConnectionGone },
    closing: { lastConnectionGone },
    closed: {},
  });
});

test('one decision at the most is announced, and the teardown once and last', (t) => {
  let count = 0;
  for (const [place, way] of shortestWays()) {
    for (const sequence of sequences(4)) {
      count++;
      const { life, effects } = after([...way, ...sequence]);
      const decisions = effects.filter((effect) => effect !== 'tearDown').length;
      const teardowns = effects.length - decisions;
      const fits =
        decisions <= 1 && teardowns === (life.isOver ? 1 : 0) && (!life.isOver || effects.at(-1) === 'tearDown');
      if (!fits || life.isOver !== (life.state === 'closed')) t.fail(`${place}: ${sequence.join()}: ${effects.join()}`);
    }
  }
  t.true(count > 50_000);
});

test('there is no dead end: a session whose last connection is gone is over', (t) => {
  for (const [place, way] of shortestWays()) {
    t.true(after([...way, 'lastConnectionGone']).life.isOver, place);
    t.true(after([...way, 'close', 'lastConnectionGone']).life.isOver, place);
  }
});
