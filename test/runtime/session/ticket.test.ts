import test from 'ava';
import {
  createTicket,
  failTicket,
  readTicket,
  requireTicket,
  type SessionTicket,
  settleTicket,
  takeIndex,
} from '../../../src/runtime/session/ticket.js';

const terms = {
  uri: 'shm://service',
  token: 'x',
  portals: ['shm://a', 'shm://b'],
  privateData: 'aGk=',
  peerPrivateData: '',
};

test('a ticket says nothing until it is settled, and then its terms', (t) => {
  const ticket = createTicket('session');
  t.is(readTicket(ticket), undefined);
  settleTicket(ticket, terms);
  t.deepEqual(readTicket(ticket), terms);
});

test('a ticket of a session that failed or is over is refused', (t) => {
  const ticket = createTicket('session');
  failTicket(ticket);
  t.throws(() => readTicket(ticket), { code: 'ERR_HEDDLE_REFUSED' });
});

test('indexes are given once each, from 1 on: 0 is that of the lead connection', (t) => {
  const ticket = createTicket('session');
  t.deepEqual([takeIndex(ticket), takeIndex(ticket), takeIndex(ticket)], [1, 2, 3]);
});

test('what is no ticket is refused', (t) => {
  const shared = new SharedArrayBuffer(8);
  const nothings = [
    undefined,
    null,
    {},
    { sessionId: 'x', shared },
    { sessionId: 'x' },
    { shared: createTicket('x').shared },
  ];
  for (const nothing of nothings) {
    t.throws(() => requireTicket(nothing as SessionTicket), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  t.notThrows(() => requireTicket(createTicket('x')));
});

test('a ticket survives structured cloning, as it is sent to a thread', (t) => {
  const ticket = createTicket('session');
  const clone = structuredClone(ticket);
  settleTicket(ticket, terms);
  t.deepEqual(readTicket(clone), terms);
  t.is(takeIndex(clone), 1);
  t.is(takeIndex(ticket), 2);
});
