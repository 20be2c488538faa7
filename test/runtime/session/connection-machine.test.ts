import test from 'ava';
import {
  type ConnectionEffect,
  type ConnectionEvent,
  ConnectionLife,
  type ConnectionState,
} from '../../../src/runtime/session/connection-machine.js';

const events: readonly ConnectionEvent[] = [
  { type: 'open' },
  { type: 'welcomed' },
  { type: 'close' },
  { type: 'destroy' },
  { type: 'abandon' },
  { type: 'finSent' },
  { type: 'finReceived' },
  { type: 'finAcked' },
  { type: 'finAckSent' },
  { type: 'linkLost', resumable: true },
  { type: 'linkLost', resumable: false },
  { type: 'resumeFailed' },
  { type: 'fault' },
];

const nameOf = (event: ConnectionEvent) =>
  event.type === 'linkLost' ? `linkLost${event.resumable ? ' to be resumed' : ''}` : event.type;

function after(sequence: readonly ConnectionEvent[]): { life: ConnectionLife; effects: ConnectionEffect[] } {
  const life = new ConnectionLife();
  const effects = sequence.flatMap((event) => life.handle(event));
  return { life, effects };
}

/** The shortest way to each place that can be reached. */
function shortestWays(): Map<string, ConnectionEvent[]> {
  const ways = new Map<string, ConnectionEvent[]>([['init', []]]);
  for (const [, way] of ways) {
    for (const event of events) {
      const longer = [...way, event];
      const place = after(longer).life.machineState;
      if (!ways.has(place)) ways.set(place, longer);
    }
  }
  return ways;
}

/** All sequences of up to `depth` events. */
function* sequences(depth: number): Generator<ConnectionEvent[]> {
  yield [];
  if (depth === 0) return;
  for (const rest of sequences(depth - 1)) {
    if (rest.length < depth - 1) continue;
    for (const event of events) yield [...rest, event];
  }
  if (depth > 1) for (const shorter of sequences(depth - 1)) if (shorter.length > 0) yield shorter;
}

const ends: readonly ConnectionState[] = ['closed', 'disconnected', 'error'];
const announcements: Readonly<Record<string, ConnectionEffect>> = {
  closed: 'announceClosed',
  disconnected: 'announceDisconnected',
  error: 'announceError',
};

test('every state can be reached', (t) => {
  const expected = [
    'init',
    'established',
    'online',
    'resuming',
    'fin-wait-1',
    'fin-wait-2',
    'closing',
    'closing-answered',
    'time-wait',
    'close-wait',
    'last-ack',
    ...ends,
  ];
  t.deepEqual([...shortestWays().keys()].sort(), expected.sort());
});

test('the machine is exactly this table', (t) => {
  const table: Record<string, Record<string, string>> = {};
  for (const [place, way] of shortestWays()) {
    const row: Record<string, string> = {};
    for (const event of events) {
      const { life } = after(way);
      const effects = life.handle(event);
      if (life.machineState !== place || effects.length > 0)
        row[nameOf(event)] = [life.machineState, ...effects].join(' ');
    }
    table[place] = row;
  }
  const closed = 'closed announceClosed flushMessages tearDown';
  const disconnected = 'disconnected announceDisconnected flushMessages tearDown';
  const error = 'error announceError flushMessages tearDown';
  const destroy = closed;
  const given = { destroy, abandon: disconnected };
  const lost = { ...given, linkLost: disconnected, 'linkLost to be resumed': disconnected, fault: error };
  const acknowledged = { ...given, linkLost: closed, 'linkLost to be resumed': closed, fault: error };
  const connecting = {
    close: closed,
    ...given,
    linkLost: disconnected,
    'linkLost to be resumed': disconnected,
    fault: error,
  };
  t.deepEqual(table, {
    init: { open: 'established', ...connecting },
    established: { welcomed: 'online announceEstablished', ...connecting },
    online: {
      ...given,
      close: 'fin-wait-1 queueFin',
      finReceived: 'close-wait sendFinAck queueFin',
      'linkLost to be resumed': 'resuming announceReconnecting',
      linkLost: disconnected,
      fault: error,
    },
    resuming: {
      ...given,
      welcomed: 'online announceReconnected',
      close: closed,
      linkLost: disconnected,
      resumeFailed: disconnected,
      fault: error,
    },
    'fin-wait-1': { finAcked: 'fin-wait-2', finReceived: 'closing sendFinAck', ...lost },
    'fin-wait-2': { finReceived: 'time-wait sendFinAck', ...acknowledged },
    closing: { finAcked: 'time-wait', finAckSent: 'closing-answered', ...lost },
    'closing-answered': { finAcked: closed, ...lost },
    'time-wait': { finAckSent: closed, ...acknowledged },
    'close-wait': { finSent: 'last-ack', ...lost },
    'last-ack': { finAcked: closed, ...lost },
    closed: {},
    disconnected: {},
    error: {},
  });
});

test('whatever happens, a connection ends once: announced, then flushed, then torn down', (t) => {
  let count = 0;
  for (const [place, way] of shortestWays()) {
    for (const sequence of sequences(3)) {
      count++;
      const { life, effects } = after([...way, ...sequence]);
      const last = effects.filter((effect) => /announce(Closed|Disconnected|Error)|flush|tearDown/.test(effect));
      const expected = life.isOver ? [announcements[life.state], 'flushMessages', 'tearDown'] : [];
      const context = `${place}: ${sequence.map(nameOf).join(', ')}`;
      if (last.join() !== expected.join() || (life.isOver && effects.at(-1) !== 'tearDown')) {
        t.deepEqual(last, expected, context);
      }
      if (life.isOver !== ends.includes(life.state)) t.fail(`${context} ends in ${life.state}`);
      const online = effects.filter((effect) => effect === 'announceEstablished').length;
      if (online > 1) t.fail(`${context}: established ${online} times`);
      if (effects.filter((effect) => effect === 'queueFin').length > 1) t.fail(`${context}: two fins`);
      if (effects.filter((effect) => effect === 'sendFinAck').length > 1) t.fail(`${context}: two fin acks`);
    }
  }
  t.true(count > 10_000);
});

test('there is no dead end: from everywhere a lost link or a fault ends the connection, and so does a close with its answers', (t) => {
  const orderly: ConnectionEvent[] = [
    { type: 'close' },
    { type: 'finSent' },
    { type: 'finAcked' },
    { type: 'finReceived' },
    { type: 'finAckSent' },
  ];
  for (const [place, way] of shortestWays()) {
    for (const event of events.filter((one) => nameOf(one) === 'linkLost' || one.type === 'fault')) {
      t.true(after([...way, event]).life.isOver, `${place} survives ${nameOf(event)}`);
    }
    t.true(after([...way, ...orderly, ...orderly]).life.isOver, `${place} survives an orderly close`);
  }
});

test('both ends of every way to close agree that it was by request', (t) => {
  // Each end has sent its fin by the time it is said to have; the other answers it, in any order of arrival.
  const orders: ConnectionEvent['type'][][] = [
    ['close', 'finSent', 'finAcked', 'finReceived', 'finAckSent'],
    ['close', 'finSent', 'finReceived', 'finAcked', 'finAckSent'],
    ['close', 'finSent', 'finReceived', 'finAckSent', 'finAcked'],
    ['finReceived', 'finAckSent', 'finSent', 'finAcked'],
    ['finReceived', 'finSent', 'finAckSent', 'finAcked'],
    ['finReceived', 'close', 'finSent', 'finAckSent', 'finAcked'],
  ];
  for (const order of orders) {
    const way = [{ type: 'open' }, { type: 'welcomed' }, ...order.map((type) => ({ type }))] as ConnectionEvent[];
    t.is(after(way).life.state, 'closed', order.join(', '));
  }
});
