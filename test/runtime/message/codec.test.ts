import test from 'ava';
import { HeddleError } from '../../../src/errors.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { type Codec, compactCodec, jsonCodec } from '../../../src/runtime/message/codec.js';

const ring = Buffer.from(new SharedArrayBuffer(1 << 20) as unknown as ArrayBuffer);

function roundTrip(value: unknown, codec: Codec = compactCodec): unknown {
  const end = codec.encodeInto(value, ring, 4096, ring.length);
  const decoded = codec.decode(ring, 4096, end);
  ring.fill(0xff, 4096, end); // what was decoded must not change with the memory
  return decoded;
}

function errorOf(action: () => unknown): HeddleError {
  try {
    action();
  } catch (error) {
    if (error instanceof HeddleError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('primitives arrive as they were', (t) => {
  const numbers = [0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1.5];
  const extremes = [Number.NaN, -0, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, -33, -129, -32769];
  for (const value of [...numbers, ...numbers.map((number) => -number), ...extremes, null, undefined, true, false]) {
    t.true(Object.is(roundTrip(value), value), String(value));
  }
  for (const bits of [0n, 1n, 31n, 63n, 64n, 65n, 200n, 5000n]) {
    for (const value of [2n ** bits, 2n ** bits - 1n, -(2n ** bits), -(2n ** bits) - 1n]) t.is(roundTrip(value), value);
  }
});

test('strings of every length and script arrive as they were', (t) => {
  for (const unit of ['a', 'é', '語', '🧵']) {
    for (const count of [0, 1, 7, 8, 10, 11, 23, 24, 25, 31, 32, 63, 64, 85, 86, 255, 256, 21845, 21846, 70000]) {
      const text = unit.repeat(count);
      t.is(roundTrip(text), text);
      t.is(roundTrip(`${'x'.repeat(count)}${unit}`), `${'x'.repeat(count)}${unit}`);
    }
  }
  t.is(roundTrip('\ud800!'), '\ufffd!', 'a lone surrogate has no UTF-8');
});

test('objects, arrays, Map, Set, Date, RegExp', (t) => {
  const value = {
    list: [1, 'two', [3, [4]], {}, []],
    nothing: null,
    absent: undefined,
    when: new Date(1234567890123),
    never: new Date(Number.NaN),
    early: new Date(-8.64e15),
    map: new Map<unknown, unknown>([
      ['a', 1],
      [{ key: 1 }, new Map([[1, 2]])],
      [3, [1, 2]],
    ]),
    set: new Set([1, 'b', new Set()]),
    pattern: /a+b"/giu,
  };
  t.deepEqual(roundTrip(value), value);
  const sparse = [1];
  sparse[2] = 3;
  t.deepEqual(roundTrip(sparse), [1, undefined, 3]);
  t.deepEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
  const large = Array.from({ length: 70_000 }, (_, i) => i);
  t.deepEqual(roundTrip(large), large);
  const wide = Object.fromEntries(large.map((i) => [`k${i}`, 0]));
  t.deepEqual(compactCodec.decode(compactCodec.encode(wide), 0, compactCodec.encode(wide).length), wide);
});

test('typed arrays are copied, with their class', (t) => {
  const views = [
    new Uint8Array([1, 2, 3]),
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-300, 300]),
    new Uint16Array([65535]),
    new Int32Array([-(2 ** 31)]),
    new Uint32Array([2 ** 32 - 1]),
    new Float32Array([1.5, Number.NaN]),
    new Float64Array([Math.PI, -0]),
    new BigInt64Array([-5n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new Float64Array(0),
  ];
  for (const view of views) {
    t.deepEqual(roundTrip(view), view);
    t.deepEqual(roundTrip(['shifts alignment', view]), ['shifts alignment', view]);
  }
  const buffer = roundTrip(Buffer.from('bytes')) as Buffer;
  t.true(Buffer.isBuffer(buffer));
  t.is(buffer.toString(), 'bytes');
  t.deepEqual(roundTrip(new Uint8Array([1, 2, 3, 4]).buffer), new Uint8Array([1, 2, 3, 4]).buffer);
  t.deepEqual(roundTrip(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)), new Uint8Array([2, 3]));
  t.is((roundTrip(new DataView(new Uint8Array([1, 2]).buffer, 1)) as DataView).getUint8(0), 2);
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  shared[0] = 9;
  t.true((roundTrip(shared) as Uint8Array).buffer instanceof ArrayBuffer);
  t.deepEqual([...(roundTrip(shared) as Uint8Array)], [9, 0, 0, 0]);
});

test('errors keep class, message, stack, code and cause', (t) => {
  const error = Object.assign(new TypeError('no good', { cause: new RangeError('deeper') }), { code: 'E_BAD' });
  const arrived = roundTrip(error) as typeof error;
  t.true(arrived instanceof TypeError);
  t.is(arrived.message, 'no good');
  t.is(arrived.stack, error.stack);
  t.is(arrived.code, 'E_BAD');
  t.true(arrived.cause instanceof RangeError);
  t.is((arrived.cause as Error).message, 'deeper');

  class OrderError extends Error {
    override name = 'OrderError';
  }
  const own = roundTrip(new OrderError('unknown here')) as Error;
  t.true(own instanceof Error);
  t.is(own.name, 'OrderError');
  t.false(Object.keys(own).includes('name'));
  t.false('cause' in own);

  const several = roundTrip(new AggregateError([new Error('one'), 2], 'all failed')) as AggregateError;
  t.true(several instanceof AggregateError);
  t.is((several.errors[0] as Error).message, 'one');
  const { stack } = roundTrip(Object.assign(new Error('bare'), { stack: undefined })) as Error;
  t.is(stack, 'Error: bare');
  t.is((roundTrip(new HeddleError('ERR_HEDDLE_TIMEOUT', 'late')) as HeddleError).code, 'ERR_HEDDLE_TIMEOUT');
});

test('instances arrive as their toJSON or as plain objects, and boxed primitives as primitives', (t) => {
  class Point {
    constructor(
      readonly x: number,
      readonly y: number,
    ) {}
    get sum(): number {
      return this.x + this.y;
    }
  }
  t.deepEqual(roundTrip(new Point(1, 2)), { x: 1, y: 2 });
  t.is(roundTrip(new URL('tcp://host:1/')), 'tcp://host:1/');
  t.is(roundTrip(Object(5)), 5);
  t.deepEqual(roundTrip({ constructor: 1 }), { constructor: 1 });
});

test('a key named __proto__ is a key like others', (t) => {
  const hostile = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}');
  for (const codec of [compactCodec, jsonCodec]) {
    const arrived = roundTrip(hostile, codec) as { isAdmin?: boolean };
    t.is(Object.getPrototypeOf(arrived), Object.prototype);
    t.is(arrived.isAdmin, undefined);
    t.deepEqual(Object.keys(arrived), ['__proto__', 'constructor']);
  }
  t.is(({} as { isAdmin?: boolean }).isAdmin, undefined);
});

test('what cannot be sent is named by its path', (t) => {
  const path = (value: unknown) => {
    const error = errorOf(() => compactCodec.encodeInto(value, ring, 0, 4096));
    t.is(error.code, 'ERR_HEDDLE_CODEC');
    t.not(error.cause, undefined);
    return error.details.path;
  };
  t.is(
    path(() => 1),
    'value',
  );
  t.is(path(Symbol('s')), 'value');
  t.is(path({ a: [1, { 'b-c': new Map([['d', () => 1]]) }] }), 'value.a[1]["b-c"].get(d)');
  t.is(path(new Set([1, Symbol('s')])), 'value[1]');
  const cycle: { deep: { self?: unknown } } = { deep: {} };
  cycle.deep.self = cycle;
  t.is(path(cycle), 'value.deep.self');
  const list: unknown[] = [];
  list.push(list);
  t.is(path(list), 'value[0]');
  t.is(
    path({
      ok: 1,
      get bad(): number {
        throw new Error('boom');
      },
    }),
    'value.bad',
  );
  t.regex(errorOf(() => compactCodec.encode(Promise.resolve())).message, /Promise cannot be sent/);
  t.regex(errorOf(() => compactCodec.encode({ w: new WeakMap() })).message, /WeakMap cannot be sent/);
  const buffer = new SlabPool({ contextId: 1, slabCounter: createSlabCounter() }).allocate(4);
  t.regex(errorOf(() => compactCodec.encode({ buffer })).message, /SharedBuffer.*message's data/);
});

test('nesting: as deep as allowed arrives, deeper throws on both sides', (t) => {
  const nested = (levels: number) => {
    let value: unknown = 1;
    for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { v: value };
    return value;
  };
  t.deepEqual(roundTrip(nested(256)), nested(256));
  t.is(errorOf(() => compactCodec.encode(nested(257))).code, 'ERR_HEDDLE_CODEC');
  t.is(errorOf(() => compactCodec.encode(nested(100_000))).code, 'ERR_HEDDLE_CODEC');
  const sets = Buffer.concat(Array(100_000).fill(Buffer.from([0xd4, 0x73, 0, 0x91])));
  for (const bomb of [Buffer.alloc(1_000_000, 0x91), Buffer.alloc(999_999, Buffer.from([0x81, 0xa1, 0x61])), sets]) {
    t.is(errorOf(() => compactCodec.decode(bomb, 0, bomb.length)).code, 'ERR_HEDDLE_CODEC');
  }
  const text = '['.repeat(1_000_000);
  t.is(errorOf(() => jsonCodec.decode(Buffer.from(text), 0, text.length)).code, 'ERR_HEDDLE_CODEC');
});

test('lengths that promise more than there is throw at once', (t) => {
  for (const bytes of [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    [0xc9, 0xff, 0xff, 0xff, 0xff, 0x74, 1],
    [0xc9, 0, 0, 0, 0, 0x74],
    [0xc9, 0, 0, 0, 4, 0x74, 8, 1, 2, 3],
    [0xc9, 0, 0, 0, 1, 0x74, 99],
    [0xc9, 0, 0, 0, 1, 0x42, 0],
    [0xd4, 0x4d, 0, 0x91, 1],
    [0xd4, 0x78, 0, 0x92, 0xa1, 0x28, 0xa0],
    [0xd4, 0x65, 0, 0x90],
    [0xc1],
    [0x81, 1, 1],
    [1, 2],
    [],
  ]) {
    const source = Buffer.from(bytes);
    t.is(errorOf(() => compactCodec.decode(source, 0, source.length)).code, 'ERR_HEDDLE_CODEC', source.toString('hex'));
  }
});

test('bytes beyond the end are not read', (t) => {
  const source = Buffer.from([0xa3, 0x61, 0x62, 0x63, 0x64]);
  t.is(compactCodec.decode(source, 0, 4), 'abc');
  t.throws(() => compactCodec.decode(source, 0, 3), { code: 'ERR_HEDDLE_CODEC' });
  t.throws(() => compactCodec.decode(source, 0, 6), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

test('encoding inside of a getter or toJSON does no harm to the outer value', (t) => {
  const inner = (text: string) => compactCodec.encode({ text }).length;
  const value = {
    before: 'b'.repeat(10),
    get size(): number {
      return inner('in between');
    },
    date: {
      toJSON: undefined,
      list: [
        new (class {
          toJSON(): unknown {
            compactCodec.encodeInto({ nested: true }, Buffer.alloc(100), 0, 100);
            return compactCodec.decode(
              compactCodec.encode(['from', 'toJSON']),
              0,
              compactCodec.encode(['from', 'toJSON']).length,
            );
          }
        })(),
      ],
    },
    after: 'a'.repeat(10),
  };
  t.deepEqual(roundTrip(value), {
    before: 'b'.repeat(10),
    size: inner('in between'),
    date: { toJSON: undefined, list: [['from', 'toJSON']] },
    after: 'a'.repeat(10),
  });
});

test('what does not fit is refused, and encode makes room', (t) => {
  const value = { text: 'x'.repeat(300_000), list: Array.from({ length: 1000 }, (_, i) => i) };
  for (const codec of [compactCodec, jsonCodec]) {
    t.is(codec.encodeInto(value, ring, 0, 100_000), -1);
    const encoded = codec.encode(value);
    t.deepEqual(codec.decode(encoded, 0, encoded.length), value);
    t.throws(() => codec.encodeInto(1, ring, 8, 4), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    t.throws(() => codec.encodeInto(1, ring, 0, ring.length + 1), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});

test('json carries what JSON does, undefined too, and refuses the rest', (t) => {
  const value = { a: [1, 'é', null], b: { c: true } };
  t.deepEqual(roundTrip(value, jsonCodec), value);
  t.is(roundTrip(undefined, jsonCodec), undefined);
  for (const wrong of [1n, () => 1, Symbol('s')]) {
    t.is(errorOf(() => jsonCodec.encodeInto(wrong, ring, 0, 100)).code, 'ERR_HEDDLE_CODEC');
    t.is(errorOf(() => jsonCodec.encode(wrong)).code, 'ERR_HEDDLE_CODEC');
  }
  t.is(errorOf(() => jsonCodec.decode(Buffer.from('{'), 0, 1)).code, 'ERR_HEDDLE_CODEC');
});
