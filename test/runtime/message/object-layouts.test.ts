import test from 'ava';
import fc from 'fast-check';
import { noLayout, ObjectLayouts } from '../../../src/runtime/message/object-layouts.js';
import { writeMessage, writeValue } from '../../../src/runtime/message/value-encoder.js';

/** As many sightings as any layout needs, in whatever order they come. */
const often = 6000;
const target = Buffer.alloc(1 << 16);

function bytesOf(write: (value: unknown, into: Buffer, start: number, end: number) => number, value: unknown): string {
  target.fill(0);
  const end = write(value, target, 8, target.length);
  return target.toString('hex', 8, end);
}

const fieldWriters = { writeText: () => -1, writeValue };

const byValue = (value: unknown, into: Buffer, start: number, end: number) => writeValue(value, into, start, end, 0);

/** Has the thread's encoder know the layout of objects like these. */
function teach(make: (i: number) => object): void {
  for (let i = 0; i < often; i++) writeMessage(make(i), target, 0, target.length);
}

const order = (i: number) => ({
  orderNumber: i,
  customer: 'acc-004711',
  side: i % 2 === 0 ? 'buy' : 'sell',
  price: 101.25,
  note: 'good till cancelled now',
  empty: '',
});

/** A string that is long to the encoder of keys and short to nobody else. */
const texts = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'buy',
    'sell',
    'good till cancelled',
    'x'.repeat(24),
    'x'.repeat(25),
    'grün',
    '\u{1f600}',
    '\0',
  ),
  fc.string({ maxLength: 30 }),
);
const values = fc.oneof(texts, fc.integer(), fc.double(), fc.constant(undefined), fc.constant(null), fc.object());
const keys = fc.constantFrom(
  'firstKeyOfObjects',
  'second',
  'a rather long key of 28 chars',
  'x'.repeat(24),
  'schlüssel',
  '__proto__',
  '1',
  '',
  'third',
  'last key',
);
/** Objects with the same keys in the same order. */
const kinds = fc
  .uniqueArray(keys, { minLength: 1, maxLength: 8 })
  .chain((names) =>
    fc
      .array(fc.tuple(...names.map(() => values)), { minLength: 2, maxLength: 3 })
      .map((rows) => rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i], value])))),
  );

test('what is written does not depend on what was written before', async (t) => {
  let instances = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(kinds, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { minLength: 60, maxLength: 200, size: 'max' }),
      async (all, picks) => {
        // An encoder that knows nothing yet.
        const url = `../../../src/runtime/message/value-encoder.js?instance=${instances++}`;
        const encoder: { writeMessage: typeof writeMessage } = await import(url);
        const objects = all.flat();
        const expected = objects.map((object) => bytesOf(byValue, object));
        for (const pick of picks) {
          const at = pick % objects.length;
          if (bytesOf(encoder.writeMessage, objects[at]) !== expected[at]) return false;
        }
        return true;
      },
    ),
    { numRuns: 200 },
  );
  t.true(instances >= 200);
});

test('an object of a known layout is written as any other, with other strings, and cut short, too', (t) => {
  teach(order);
  const kept = order(0);
  t.is(bytesOf(writeMessage, kept), bytesOf(byValue, kept));
  const others = [
    { ...kept, customer: 'acc-004712' },
    { ...kept, customer: 'ACC-0047' },
    { ...kept, customer: 'grün' },
    { ...kept, note: 'a note of more than twenty-four characters' },
    { ...kept, note: 17 },
    { ...kept, side: null, more: true },
    { orderNumber: 1, customer: 'acc-004711' },
    { orderNumber: 1, note: 'good till cancelled' },
    { orderNumber: 1, customer: 'acc-004711', sides: 'buy', price: 101.25, note: '', empty: '' },
  ];
  for (let round = 0; round < 3; round++) {
    for (const other of others) {
      for (let n = 0; n < 3; n++) t.is(bytesOf(writeMessage, other), bytesOf(byValue, other));
    }
    t.is(bytesOf(writeMessage, kept), bytesOf(byValue, kept));
  }
});

test('nothing is written at or past the end, however little room there is', (t) => {
  const long = { ...order(0), 'a key of 24 characters..': 'a text of 24 characters.' };
  teach(() => long);
  const value = { ...long };
  const whole = bytesOf(byValue, value);
  const length = whole.length / 2;
  for (let room = 0; room <= length + 40; room++) {
    target.fill(0xee);
    const end = writeMessage(value, target, 8, 8 + room);
    t.is(end, room < length ? -1 : 8 + length);
    t.true(
      target.subarray(8 + room).every((byte) => byte === 0xee),
      `room=${room}`,
    );
    if (end > 0) t.is(target.toString('hex', 8, end), whole);
  }
});

test('kinds that share their first key have a layout each, and no more than four', (t) => {
  const layouts = new ObjectLayouts(fieldWriters);
  const kind = (i: number) => ({
    type: `kind ${i}`,
    [`the only field of kind number ${i}`.slice(0, 24)]: i,
    [`other${i}`]: 1,
  });
  for (let i = 0; i < 12; i++) for (let n = 0; n < 20; n++) layouts.learn(kind(i));
  const found = layouts.of('type');
  t.is(found.siblings.length, 4);
  t.is(found.names[2], 'other11');
  t.is(found.branch(2, 'other9').names[2], 'other9');
  t.is(found.branch(2, 'other1'), noLayout);
  t.is(found.branch(1, 'the only field of kind number 9'.slice(0, 24)).names[2], 'other11', 'which is cut to the same');
  t.is(found.ending(3), found);
  t.is(found.ending(2), noLayout);
  t.is(layouts.of('nothing'), noLayout);
});

test('many keys, and keys that need more than a byte for their length or a character, have no layout', (t) => {
  const layouts = new ObjectLayouts(fieldWriters);
  const strange: object[] = [
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`key number ${i}`, i])),
    { 'größter gemeinsamer Teiler': 1, zweites: 2 },
    { 'a key of more than twenty-four characters': 1 },
    {},
  ];
  for (const one of strange) {
    for (let n = 0; n < 50; n++) layouts.learn(one);
    t.is(layouts.of(Object.keys(one)[0] ?? ''), noLayout);
  }
});

test('a layout is of the whole object: of some keys more, some less, and others in between there are others', (t) => {
  const layouts = new ObjectLayouts(fieldWriters);
  const kinds = [
    { a: 1, b: 2, c: 3 },
    { a: 1, b: 2 },
    { a: 1, x: 2, c: 3 },
  ];
  for (const kind of kinds) for (let n = 0; n < 50; n++) layouts.learn(kind);
  const found = layouts.of('a');
  t.is(found.siblings.length, 3);
  t.deepEqual(found.branch(1, 'b').ending(2).names, ['a', 'b']);
  t.is(found.ending(2), noLayout, 'it begins with other keys');
  t.deepEqual(found.branch(1, 'b').branch(2, 'c').names, ['a', 'b', 'c']);
  t.deepEqual(found.branch(1, 'x').branch(2, 'c').names, ['a', 'x', 'c']);
  t.is(found.branch(1, 'x').ending(2), noLayout);
  t.is(found.branch(1, 'x').branch(2, 'b'), noLayout);
});

test('what an object inherits is not written, whether its layout is known or not', (t) => {
  const inherited = { value: 3, enumerable: true, configurable: true };
  teach(() => ({ first: 1, second: 2, third: 3 }));
  const expected = bytesOf(byValue, { first: 1, second: 2 });
  Object.defineProperty(Object.prototype, 'third', inherited);
  try {
    for (let n = 0; n < 20; n++) t.is(bytesOf(writeMessage, { first: 1, second: 2 }), expected);
  } finally {
    delete (Object.prototype as { third?: unknown }).third;
  }
});

test('messages that go to many places in turns are written to each', (t) => {
  teach(order);
  const expected = bytesOf(byValue, order(3));
  const memory = Buffer.alloc(1 << 16, 0xee);
  const places = Array.from({ length: 20 }, (_, i) => memory.subarray(i * 1000 + i, i * 1000 + i + 900));
  for (let round = 0; round < 3; round++) {
    for (const place of [...places, Buffer.alloc((1 << 22) + 1)]) {
      place.fill(0);
      const end = writeMessage(order(3), place, 5, place.length);
      t.is(place.toString('hex', 5, end), expected);
    }
  }
});

test('layouts are made for no more kinds than a thread can bear', (t) => {
  const layouts = new ObjectLayouts(fieldWriters);
  const firstKeys = new Map<number, string>();
  for (let a = 33; a < 127; a++) {
    // One for each slot, or they would take turns.
    for (let b = 33; b < 127; b++) firstKeys.set((a * 29 + b * 5) & 255, String.fromCharCode(a, b));
  }
  t.is(firstKeys.size, 256);
  let made = 0;
  for (let kind = 0; kind < 4; kind++) {
    for (const first of firstKeys.values()) {
      for (let n = 0; n < 20; n++) layouts.learn({ [first]: 1, [`kind ${kind}`]: 2 });
      if (layouts.of(first).names[1] === `kind ${kind}`) made++;
    }
  }
  t.is(made, 512);
});

test('tables whose keys are data are not looked at for ever, and what comes often is still learned', (t) => {
  const layouts = new ObjectLayouts(fieldWriters);
  for (let i = 0; i < 20_000; i++)
    layouts.learn({ [`entry number ${i} of a table`.slice(0, 24)]: i, [`more ${i}`]: i });
  for (let i = 0; i < 512 * 80; i++) layouts.learn(order(i));
  t.deepEqual(layouts.of('orderNumber').names, Object.keys(order(0)));
  for (let i = 0; i < 2000; i++) layouts.of(`unknown ${i}`);
  const found = Array.from({ length: 32 }, () => layouts.of('orderNumber')).filter((layout) => layout !== noLayout);
  t.true(found.length >= 1, 'after searching in vain for long it looks now and then');
  t.not(layouts.of('orderNumber'), noLayout);
});

test('a getter that encodes something else meanwhile does no harm', (t) => {
  teach(order);
  const other = Buffer.alloc(1 << 12);
  const inner = { ...order(1), customer: 'someone else' };
  const value = Object.defineProperty(order(0), 'price', {
    enumerable: true,
    get: () => {
      writeMessage(inner, other, 0, other.length);
      return 101.25;
    },
  });
  const expected = bytesOf(byValue, order(0));
  for (let i = 0; i < 20; i++) t.is(bytesOf(writeMessage, value), expected);
});
