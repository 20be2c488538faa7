import test from 'ava';
import type { Message, SharedBuffer } from '../../../src/index.js';
import { ArrivedCompanions, readEnvelope } from '../../../src/runtime/actors/buffers.js';
import { Envelope, EnvelopeKind, envelopeCodec } from '../../../src/runtime/actors/envelope.js';
import type { ActorHost } from '../../../src/runtime/actors/host.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { gathering, maximumCompanions } from '../../../src/runtime/message/companions.js';
import type { Connection } from '../../../src/runtime/session/connection.js';

/** What comes by connections, with nothing behind it. */
function setUp() {
  const pool = new SlabPool({ contextId: 1, slabCounter: createSlabCounter() });
  const incoming = new Envelope();
  const codec = envelopeCodec(incoming, () => ({}));
  const host = { companions: new ArrivedCompanions(), incoming, codec } as unknown as ActorHost;
  const one = {} as Connection;
  const envelopeOf = (kind: number, number: number, payload?: unknown) =>
    Object.assign(new Envelope(), { kind, number, payload });
  const companion = (number: number, connection = one): SharedBuffer => {
    const buffer = pool.allocate(100);
    const header = codec.encode(envelopeOf(EnvelopeKind.companion, number));
    const message = { headerLength: header.length, header, takeBuffer: () => buffer } as unknown as Message;
    readEnvelope(message, connection, host);
    return buffer;
  };
  const receive = (payload: unknown, found: SharedBuffer[], connection = one): unknown => {
    const bytes = gathering(found, () => codec.encode(envelopeOf(EnvelopeKind.tell, 0, payload)));
    const message = { headerLength: 0, value: undefined } as unknown as Message;
    Object.defineProperty(message, 'value', { get: () => codec.decode(bytes, 0, bytes.length) });
    return readEnvelope(message, connection, host) ? incoming.payload : undefined;
  };
  const whole = (connection = one): SharedBuffer => {
    const buffer = pool.allocate(100);
    const header = codec.encode(envelopeOf(EnvelopeKind.tell, 0));
    const message = { headerLength: header.length, header, takeBuffer: () => buffer } as unknown as Message;
    readEnvelope(message, connection, host);
    return buffer;
  };
  return { pool, host, companion, receive, whole };
}

test('buffers that came ahead are in the next message of their connection, and in no other', (t) => {
  const { host, companion, receive } = setUp();
  const other = {} as Connection;
  const [a, b, c] = [companion(0), companion(1), companion(0, other)];
  t.deepEqual(receive({ first: a, rest: [b, a] }, [a, b]), { first: a, rest: [b, a] });
  t.throws(() => receive({ first: a }, [a]), { code: 'ERR_HEDDLE_CODEC' }, 'they have been taken');
  t.is((receive([c], [c], other) as unknown[])[0], c);
  t.true(a.isHeld && b.isHeld && c.isHeld);
  t.true(host.companions.isEmpty);
});

test('what a message does not have in it is released: a peer cannot leave it here', (t) => {
  const { host, companion, receive, whole } = setUp();
  const [a, b] = [companion(0), companion(1)];
  t.deepEqual(receive({ first: a }, [a]), { first: a });
  t.deepEqual([a.isHeld, b.isHeld], [true, false]);
  const [c] = [companion(0)];
  t.is(receive('nothing of it', []), 'nothing of it');
  t.false(c.isHeld);
  const d = companion(0);
  const payload = whole();
  t.deepEqual([d.isHeld, payload.isHeld], [false, true], 'before one that is a whole payload');
  t.is(host.incoming.payload, payload);
  const e = companion(0);
  const f = companion(0);
  t.deepEqual([e.isHeld, f.isHeld], [false, true], 'of a message that could not be sent after all');
  host.companions.drop({} as Connection);
  t.true(f.isHeld, 'another connection has ended');
  t.is(receive('anything', []), 'anything');
  t.false(f.isHeld);
  t.true(host.companions.isEmpty);
});

test('numbers out of their order, more than there may be, and a message that does not decode, leave nothing behind', (t) => {
  const { pool, host, companion, receive } = setUp();
  t.throws(() => companion(1), { code: 'ERR_HEDDLE_CODEC' });
  const a = companion(0);
  for (const number of [0x7fffffff, -1, 2]) t.throws(() => companion(number), { code: 'ERR_HEDDLE_CODEC' });
  t.true(a.isHeld);
  for (let number = 1; number < maximumCompanions; number++) companion(number);
  t.throws(() => companion(maximumCompanions), { code: 'ERR_HEDDLE_CODEC' });
  t.is(pool.statistics().buffersHeld, maximumCompanions);
  const stranger = pool.allocate(100);
  const found = [...Array(maximumCompanions).fill(undefined), stranger];
  t.throws(() => receive({ stranger }, found), { code: 'ERR_HEDDLE_CODEC', message: /has not come along/ });
  stranger.release();
  t.is(pool.statistics().buffersHeld, 0);
  t.true(host.companions.isEmpty);
});
