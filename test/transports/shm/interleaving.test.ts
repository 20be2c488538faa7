import test from 'ava';
import type { ShmLink } from '../../../src/transports/shm/shm-link.js';
import type { Link } from '../../../src/transports/transport.js';
import { connectedPair, many, place } from './harness.js';

/*
 * The real code, interrupted at each of its Atomics calls: before one of them the other side runs a whole operation.
 * That is how the sleep and room protocols race; the model in test/model tries finer interleavings of its own copy.
 */

const methods = ['load', 'store', 'compareExchange', 'exchange', 'add', 'sub'] as const;
const original = Object.fromEntries(methods.map((method) => [method, Atomics[method]])) as Pick<
  typeof Atomics,
  (typeof methods)[number]
>;

/** Runs `operation`, and `intruder` before its n-th Atomics call. Returns whether there was an n-th call. */
function interrupted(operation: () => void, n: number, intruder: () => void): boolean {
  let calls = 0;
  let ran = false;
  for (const method of methods) {
    (Atomics as unknown as Record<string, unknown>)[method] = (...args: unknown[]) => {
      if (calls === n && !ran) {
        ran = true;
        restore();
        intruder();
        return (original[method] as (...all: unknown[]) => unknown)(...args);
      }
      calls += 1;
      return (original[method] as (...all: unknown[]) => unknown)(...args);
    };
  }
  try {
    operation();
  } finally {
    restore();
  }
  return ran;
}

function restore(): void {
  Object.assign(Atomics, original);
}

type Pair = Awaited<ReturnType<typeof connectedPair>>;

/** Counts rings synchronously, where they are made. */
function countRings(link: Link): { rings: number } {
  const counter = { rings: 0 };
  const { doorbell } = link as ShmLink;
  doorbell.ring = () => {
    counter.rings += 1;
  };
  return counter;
}

async function eachInterruption(run: (pair: Pair, n: number) => boolean): Promise<number> {
  for (let n = 0; ; n += 1) {
    const pair = await connectedPair();
    const was = run(pair, n);
    await pair.directory.close();
    if (!was) return n;
  }
}

test.serial('falling asleep, a record published in between: it is seen, or the doorbell rings', async (t) => {
  const points = await eachInterruption(({ b, link }, n) => {
    const counter = countRings(link);
    let asleep = false;
    const publish = () => {
      place(link, 'x');
      link.publish();
    };
    const was = interrupted(
      () => {
        asleep = b.transport.beginSleep();
      },
      n,
      publish,
    );
    if (was) t.true(!asleep || counter.rings === 1, `n=${n}`);
    return was;
  });
  t.true(points >= 2);
});

test.serial('publishing, the peer falls asleep in between: it sees the record, or the doorbell rings', async (t) => {
  const points = await eachInterruption(({ b, link }, n) => {
    const counter = countRings(link);
    let asleep = false;
    const was = interrupted(
      () => {
        place(link, 'x');
        link.publish();
      },
      n,
      () => {
        b.transport.poll(many);
        asleep = b.transport.beginSleep();
      },
    );
    if (was) t.true(!asleep || counter.rings === 1 || b.host.texts.length === 1, `n=${n}`);
    return was;
  });
  t.true(points >= 2);
});

for (const alsoSleeps of [false, true]) {
  test.serial(`a full ring is emptied while the writer gives up${alsoSleeps ? ' and falls asleep' : ''}`, async (t) => {
    const points = await eachInterruption(({ a, b, link, back }, n) => {
      const counter = countRings(back);
      let refused = false;
      let asleep = false;
      const was = interrupted(
        () => {
          while (place(link, 'x', 512));
          refused = true;
          if (alsoSleeps) asleep = a.transport.beginSleep();
        },
        n,
        () => b.transport.poll(many),
      );
      if (!was) return false;
      // Whatever was still in the ring when the consumer came is taken now, as a consumer that was woken would.
      b.transport.poll(many);
      t.true(refused);
      if (asleep) t.is(counter.rings, 1, `n=${n}`);
      a.transport.endSleep();
      a.transport.poll(many);
      t.deepEqual(a.host.writable, [link], `n=${n}`);
      return true;
    });
    t.true(points >= 3);
  });

  test.serial(`the writer fills the ring${alsoSleeps ? ' and falls asleep' : ''} while it is read`, async (t) => {
    const points = await eachInterruption(({ a, b, link, back }, n) => {
      const counter = countRings(back);
      for (let i = 0; i < 3; i += 1) place(link, 'x', 512);
      link.publish();
      let asleep = false;
      const was = interrupted(
        () => b.transport.poll(many),
        n,
        () => {
          while (place(link, 'x', 512));
          if (alsoSleeps) asleep = a.transport.beginSleep();
        },
      );
      if (!was) return false;
      // Room came from the poll that was interrupted or it did not: then nobody may be waiting in vain for it.
      const room = (link as ShmLink).producer.hasWantedRoom();
      if (asleep && room) t.is(counter.rings, 1, `n=${n}`);
      b.transport.poll(many);
      if (asleep) t.is(counter.rings, 1, `n=${n}`);
      a.transport.endSleep();
      a.transport.poll(many);
      t.deepEqual(a.host.writable, [link], `n=${n}`);
      t.true(b.host.texts.length >= 7);
      return true;
    });
    t.true(points >= 3);
  });
}

test.serial('every sequence of short operations keeps order, loses nothing and leaves nobody waiting', async (t) => {
  const pair = await connectedPair();
  const { a, b, link } = pair;
  let next = 0;
  const put = (size: number) => {
    if (place(link, `${next};`, size)) next += 1;
  };
  const operations = [
    () => put(16),
    () => put(512),
    () => {
      while (place(link, `${next};`, 504)) next += 1;
    },
    () => link.publish(),
    () => b.transport.poll(1),
    () => b.transport.poll(many),
    () => {
      a.transport.poll(many);
    },
  ];
  const steps = 6;
  const sequences = operations.length ** steps;
  for (let sequence = 0; sequence < sequences; sequence += 1) {
    next = 0;
    b.host.received.length = 0;
    for (let step = 0, rest = sequence; step < steps; step += 1, rest = Math.floor(rest / operations.length)) {
      operations[rest % operations.length]!();
    }
    // The ring goes on from wherever it stands: positions differ from sequence to sequence.
    link.publish();
    b.transport.poll(many);
    a.transport.poll(many);
    if (b.host.received.length !== next || (link as ShmLink).producer.wantedBytes !== 0) t.fail(`sequence=${sequence}`);
    for (let i = 0; i < next; i += 1) {
      if (Number.parseInt(b.host.received[i]!.text, 10) !== i) t.fail(`sequence=${sequence} record=${i}`);
    }
  }
  t.is(link.occupancyBytes(), 0);
  await pair.directory.close();
});
