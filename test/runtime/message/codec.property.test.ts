import { deepStrictEqual } from 'node:assert';
import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../../src/errors.js';
import { type Codec, compactCodec, jsonCodec } from '../../../src/runtime/message/codec.js';

const ring = Buffer.from(new SharedArrayBuffer(1 << 18) as unknown as ArrayBuffer);
const canary = 0xa5;

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'grapheme', minLength: 20, maxLength: 200 }),
);

const values = fc.anything({
  key: text,
  maxDepth: 5,
  values: [
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    text,
    fc.constantFrom(undefined, null, -0, Number.NaN),
    fc.date({ noInvalidDate: true }), // deepStrictEqual of Node.js 20 holds no two invalid dates for equal
    fc.uint8Array(),
    fc.float64Array(),
    fc.bigInt64Array(),
    fc.array(fc.integer(), { maxLength: 40 }),
  ],
  withMap: true,
  withSet: true,
  withSparseArray: false,
});

test('any value arrives as it was', (t) => {
  fc.assert(
    fc.property(values, fc.nat({ max: 5000 }), (value, start) => {
      const end = compactCodec.encodeInto(value, ring, start, ring.length);
      const decoded = compactCodec.decode(ring, start, end);
      ring.fill(canary, start, end);
      deepStrictEqual(decoded, value);
      const fresh = compactCodec.encode(value);
      if (fresh.length !== end - start) throw new Error('encode and encodeInto differ');
      deepStrictEqual(compactCodec.decode(fresh, 0, fresh.length), value);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

/** Encodes with every amount of room near what is needed, and looks at each byte around it. */
function checkRoom(codec: Codec, value: unknown, start: number): void {
  const { length } = codec.encode(value);
  for (let room = Math.max(0, length - 12); room <= length + 1; room++) {
    const end = start + room;
    ring.fill(canary, 0, end + 1000);
    const result = codec.encodeInto(value, ring, start, end);
    if (result !== (room >= length ? start + length : -1)) {
      throw new Error(`room for ${room}, ${length} needed, ${result} returned`);
    }
    for (let i = 0; i < start; i++) if (ring[i] !== canary) throw new Error(`wrote before start, at ${i}`);
    for (let i = end; i < end + 1000; i++) if (ring[i] !== canary) throw new Error(`wrote past end, at ${i}`);
  }
}

test('nothing is written outside of start and end, and exactly enough room is enough', (t) => {
  fc.assert(
    fc.property(values, fc.nat({ max: 300 }), (value, start) => checkRoom(compactCodec, value, start)),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat({ max: 300 }), (value, start) => checkRoom(jsonCodec, value, start)),
    { numRuns: 100 },
  );
  t.pass();
});

test('each kind of value is refused when one byte is missing, alone and as the last of an object', (t) => {
  const kinds: unknown[] = [0, 5, -1, 200, -200, 70_000, 1.5, -0, true, null, undefined, 5n, 2n ** 70n, '', 'abc'];
  const others = ['é', 'x'.repeat(24), 'x'.repeat(25), 'é'.repeat(100), 'x'.repeat(30_000), [], {}, [1], { a: 1 }];
  const classes = [
    new Date(0),
    new Map([[1, 2]]),
    new Set([1]),
    /x/g,
    new Error('e'),
    new Uint8Array(3),
    Buffer.from('abc'),
  ];
  const views = [new Float64Array(2), new ArrayBuffer(5), new DataView(new ArrayBuffer(2)), new Array(20).fill(0)];
  for (const value of [...kinds, ...others, ...classes, ...views, new Array(70_000).fill(0)]) {
    checkRoom(compactCodec, value, 16);
    checkRoom(compactCodec, { first: [1], last: value }, 16);
  }
  t.pass();
});

function decodesOrThrowsCoded(source: Buffer, start: number, end: number): void {
  const before = Buffer.from(source);
  for (const codec of [compactCodec, jsonCodec]) {
    try {
      codec.decode(source, start, end);
    } catch (error) {
      if (!(error instanceof HeddleError) || error.code !== 'ERR_HEDDLE_CODEC') throw error;
    }
  }
  if (!before.equals(source)) throw new Error('decoding wrote to its source');
}

test('random bytes decode or throw ERR_HEDDLE_CODEC, nothing else', (t) => {
  const token = fc.constantFrom(...[0xc6, 0xc9, 0xd3, 0xd4, 0xd7, 0xd9, 0xdc, 0xde, 0x81, 0x92, 0xa1, 0, 1]);
  const tagBytes = fc.constantFrom(...[0x75, 0x42, 0x74, 0x44, 0x4d, 0x73, 0x78, 0x65]);
  const bytes = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), token, tagBytes), { maxLength: 60 });
  fc.assert(
    fc.property(bytes, (list) => decodesOrThrowsCoded(Buffer.from(list), 0, list.length)),
    { numRuns: 5000 },
  );
  t.pass();
});

test('valid messages that were changed or cut decode or throw ERR_HEDDLE_CODEC, nothing else', (t) => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(values, changes, fc.nat(), (value, list, cut) => {
      const source = Buffer.from(compactCodec.encode([value, new Error('e', { cause: value }), /x/g]));
      for (const [at, byte] of list) source[at % source.length] = byte;
      decodesOrThrowsCoded(source, 0, source.length);
      decodesOrThrowsCoded(source, 0, cut % source.length);
    }),
    { numRuns: 1500 },
  );
  t.pass();
});
