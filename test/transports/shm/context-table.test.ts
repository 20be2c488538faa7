import test from 'ava';
import {
  awakeIndex,
  ContextTable,
  contextLineBytes,
  createContextTable,
  fallAsleep,
  maximumContexts,
  sleepingIndex,
  wakeUp,
} from '../../../src/transports/shm/context-table.js';

test('lines are given out once, to the last, and given back with a new incarnation', (t) => {
  const table = new ContextTable(createContextTable());
  const other = new ContextTable(table.words.buffer as SharedArrayBuffer);
  t.is(table.state(5), 'free');
  for (let id = 0; id < maximumContexts; id += 1) t.is((id % 2 === 0 ? table : other).acquire(), id);
  t.throws(() => table.acquire(), { code: 'ERR_HEDDLE_OUT_OF_MEMORY' } as never);
  t.is(other.state(5), 'running');
  t.is(other.incarnation(5), 1);
  table.setState(5, 'lost');
  t.is(other.state(5), 'lost');
  t.throws(() => table.acquire(), { code: 'ERR_HEDDLE_OUT_OF_MEMORY' } as never);
  Atomics.store(table.words, sleepingIndex(5), 1);
  table.setState(5, 'free');
  t.is(other.acquire(), 5);
  t.is(table.incarnation(5), 2);
  t.is(table.words[sleepingIndex(5)], 1);
});

test('each context has a line of its own, and ids are checked', (t) => {
  t.is((sleepingIndex(8) - sleepingIndex(7)) * 4, contextLineBytes);
  for (const id of [-1, maximumContexts, 1.5, Number.NaN]) {
    t.throws(() => sleepingIndex(id), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' } as never);
  }
  t.throws(() => new ContextTable(new SharedArrayBuffer(64)), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' } as never);
});

test('a context is counted in when its flag goes down, and out when it goes up, once each, whoever does it', (t) => {
  const { words } = new ContextTable(createContextTable());
  const flag = sleepingIndex(3);
  const seen: [number, number][] = [];
  const look = () => seen.push([words[flag]!, words[awakeIndex]!]);
  words[flag] = 1;
  for (const step of [wakeUp, wakeUp, fallAsleep, fallAsleep, wakeUp]) {
    step(words, flag);
    look();
  }
  t.deepEqual(seen, [
    [0, 1],
    [0, 1],
    [1, 0],
    [1, 0],
    [0, 1],
  ]);
  // A producer wakes it: the context, awake, counts itself in no more.
  fallAsleep(words, flag);
  Atomics.store(words, flag, 0);
  Atomics.add(words, awakeIndex, 1);
  wakeUp(words, flag);
  t.is(words[awakeIndex], 1);
});
