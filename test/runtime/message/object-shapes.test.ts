import { deepStrictEqual } from 'node:assert';
import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../../src/errors.js';
import { ObjectShapes } from '../../../src/runtime/message/object-shapes.js';
import { ValueDecoder } from '../../../src/runtime/message/value-decoder.js';
import { writeValue } from '../../../src/runtime/message/value-encoder.js';
import { runProgram } from '../../support/run-program.js';

const bytes = Buffer.alloc(1 << 16);

/** What a value is when it has come through a decoder that has seen others before. */
function through(decoder: ValueDecoder, value: unknown): unknown {
  const end = writeValue(value, bytes, 0, bytes.length, 0);
  const decoded = decoder.decode(bytes, 0, end);
  bytes.fill(0xa5, 0, end);
  return decoded;
}

/** As many sightings as any shape needs. */
const often = 40;

/** A decoder that has a reader for objects like this one. */
function taught(...values: unknown[]): ValueDecoder {
  const decoder = new ValueDecoder();
  for (const value of values) for (let i = 0; i < often; i++) through(decoder, value);
  return decoder;
}

const names = fc.constantFrom(
  'a',
  'b',
  'id',
  'name',
  'longer-name',
  'a\\"\n`$',
  '__proto__',
  'constructor',
  '1',
  'é',
  '',
);
const objects = fc
  .uniqueArray(names, { minLength: 1, maxLength: 6 })
  .map((keys) => Object.fromEntries(keys.map((key, i) => [key, i])));

test('a reader is made for a shape that comes often, and for no more of them than a thread can bear', (t) => {
  const shapes = new ObjectShapes();
  let made = 0;
  for (let kind = 0; kind < 2000; kind++) {
    const slot = shapes.slotOf(2, kind & 0xff, kind >> 8, 0);
    slot.shape = undefined;
    for (let i = 0; i < often; i++) if (slot.shape === undefined) shapes.learn(slot, { [`k${kind}`]: 1, b: 2 }, 2);
    if (slot.shape !== undefined) made++;
  }
  t.is(made, 512);
});

test('objects of ever other keys get no reader, and are not looked at for ever', (t) => {
  const shapes = new ObjectShapes();
  const slot = shapes.slotOf(1, 0, 0, 0);
  for (let i = 0; i < 2000; i++) shapes.learn(slot, { [`key-${i}`]: 1 }, 1);
  t.is(slot.shape, undefined);
  t.true(slot.looks < 2000);
});

test('objects of few kinds, in whatever order they come, arrive as they were', (t) => {
  fc.assert(
    fc.property(
      fc.array(objects, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(3), { minLength: 200, maxLength: 400 }),
      (kinds, order) => {
        const decoder = new ValueDecoder();
        for (const [i, choice] of order.entries()) {
          // Runs of one kind, so that shapes are made, between others, so that they do not fit.
          const kind = kinds[(i % 50 < 25 ? choice : 0) % kinds.length]!;
          const value = { ...kind, nested: [kind, { ...kind }], last: i };
          const decoded = through(decoder, value);
          deepStrictEqual(decoded, value);
          deepStrictEqual(Object.keys(decoded as object), Object.keys(value));
        }
      },
    ),
    { numRuns: 60 },
  );
  t.pass();
});

test('an object of another shape with the same number of fields and the same first key is read as it is', (t) => {
  const decoder = taught({ id: 1, name: 'x', price: 2.5 });
  for (const other of [
    { id: 1, name: 'x', cost: 2.5 },
    { id: 1, price: 2.5, name: 'x' },
    { id: 1, nam: 'x', price: 2.5 },
    { id: { id: 1, name: { id: 2, nothing: 3, price: 4 }, price: 5 }, name: 'x', prices: [1] },
  ]) {
    t.deepEqual(through(decoder, other), other);
    t.deepEqual(Object.keys(through(decoder, other) as object), Object.keys(other));
  }
  t.deepEqual(through(decoder, { id: 7, name: 'y', price: 1 }), { id: 7, name: 'y', price: 1 });
});

test('a shape that is not sent any more makes room for another', (t) => {
  const decoder = taught({ id: 1, a: 1 }, { id: 1, b: 2 }, { id: 1, a: 1 });
  t.deepEqual(through(decoder, { id: 1, b: 2 }), { id: 1, b: 2 });
  t.deepEqual(through(decoder, { id: 1, a: 1 }), { id: 1, a: 1 });
});

test('keys that mean something in an object literal mean nothing in a message', (t) => {
  const polluting = JSON.parse('{"__proto__": {"isAdmin": true}, "x": 1}') as object;
  const decoder = taught(polluting);
  const decoded = through(decoder, polluting) as Record<string, unknown>;
  t.is(Object.getPrototypeOf(decoded), Object.prototype);
  t.true(Object.hasOwn(decoded, '__proto__'));
  t.is((decoded as { isAdmin?: unknown }).isAdmin, undefined);
  const code = { '"]: process.exit(1), ["': 1, '${process.exit(1)}': 2, '*/ process.exit(1) /*': 3 };
  t.deepEqual(through(taught(code), code), code);
});

test('a field that comes twice keeps its last value', (t) => {
  const decoder = taught({ a: 1, b: 2 });
  const twice = Buffer.from([0xde, 0, 2, 0xa1, 0x61, 1, 0xa1, 0x61, 5]);
  for (let i = 0; i < often; i++) t.deepEqual(decoder.decode(twice, 0, twice.length), { a: 5 });
});

test('a message that ends inside of an object with a shape is malformed, and the next one is none the worse', (t) => {
  const value = { id: 1, name: 'x', inner: { id: 2, name: 'y', inner: null } };
  const decoder = taught(value);
  const end = writeValue(value, bytes, 0, bytes.length, 0);
  const whole = Buffer.from(bytes.subarray(0, end));
  for (let length = 1; length < end; length++) {
    t.throws(() => decoder.decode(whole, 0, length), { instanceOf: HeddleError, code: 'ERR_HEDDLE_CODEC' });
    t.deepEqual(decoder.decode(whole, 0, end), value);
  }
});

test('nested objects of which none is of the expected shape are read once each', (t) => {
  // Were what does not fit read again from the start, every level would double the work.
  const nest = (depth: number, last: string): object => {
    let value: object = { id: 0, next: 1 };
    for (let i = 0; i < depth; i++) value = { next: value, [last]: i };
    return value;
  };
  const decoder = taught(nest(3, 'end'));
  t.deepEqual(through(decoder, nest(200, 'fin')), nest(200, 'fin'));
});

test('a decoder that is asked while it decodes answers both', (t) => {
  const decoder = taught({ id: 1, name: 'x' });
  const inner = Buffer.alloc(100);
  const innerEnd = writeValue({ id: 2, name: 'inner' }, inner, 0, inner.length, 0);
  // d4 'r' 00: a reference, whose reader is user code.
  const outer = Buffer.from([
    0xde, 0, 2, 0xa2, 0x69, 0x64, 0xd4, 0x72, 0, 0x90, 0xa4, 0x6e, 0x61, 0x6d, 0x65, 0xa1, 0x79,
  ]);
  const decoded = decoder.decode(outer, 0, outer.length, () => decoder.decode(inner, 0, innerEnd) as object);
  t.deepEqual(decoded, { id: { id: 2, name: 'inner' }, name: 'y' });
});

test('where code must not be generated, objects arrive all the same', async (t) => {
  const program = `
    import { compactCodec } from './dist/src/runtime/message/codec.js';
    const bytes = Buffer.alloc(100);
    let decoded;
    for (let i = 0; i < 1000; i++) decoded = compactCodec.decode(bytes, 0, compactCodec.encodeInto({ id: i, name: 'x' }, bytes, 0, 100));
    console.log(JSON.stringify(decoded));
  `;
  const { exitCode, stdout } = await runProgram('--disallow-code-generation-from-strings', [
    '--input-type=module',
    '--eval',
    program,
  ]);
  t.is(exitCode, 0);
  t.is(stdout.trim(), '{"id":999,"name":"x"}');
});
