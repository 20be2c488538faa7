import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../../src/errors.js';
import { Directory, type DirectoryMember } from '../../../src/runtime/context/directory.js';
import { isRingPairClosed, type RingPair } from '../../../src/transports/shm/ring-pair.js';
import { closeRing, makeTestPair } from './test-rings.js';

/** Writes down what the directory tells it; `attachWaits` keeps attaching until it is released. */
class Member implements DirectoryMember {
  readonly id: number;
  readonly name: string;
  readonly attached: RingPair[] = [];
  readonly detached: { peerContextId: number; error: HeddleError }[] = [];
  attachResult: () => Promise<void> = async () => {};
  readonly #log: string[];

  constructor(id: number, log: string[] = []) {
    this.id = id;
    this.name = `member-${id}`;
    this.#log = log;
  }

  async attach(pair: RingPair): Promise<void> {
    this.attached.push(pair);
    this.#log.push(`attach ${this.id} to ${pair.peerContextId}`);
    await this.attachResult();
    this.#log.push(`attached ${this.id}`);
  }

  detach(peerContextId: number, error: HeddleError): void {
    this.detached.push({ peerContextId, error });
    this.#log.push(`detach ${this.id} from ${peerContextId}`);
  }
}

function makeDirectory(count: number) {
  const log: string[] = [];
  const doorbells: RingPair['doorbell'][] = [];
  const directory = new Directory({
    create(contextA, contextB) {
      const ends = makeTestPair(contextA, contextB);
      doorbells.push(ends.forA.doorbell, ends.forB.doorbell);
      return ends;
    },
    isClosed: isRingPairClosed,
  });
  const members = Array.from({ length: count }, (_, id) => new Member(id, log));
  for (const member of members) directory.add(member);
  const end = () => {
    for (const doorbell of doorbells) doorbell.close();
  };
  return { directory, members, log, end };
}

const lost = (id: number) => new HeddleError('ERR_HEDDLE_CONTEXT_LOST', `context ${id} crashed`);

test('a name leads to one context at a time', (t) => {
  const { directory } = makeDirectory(2);
  directory.bind(0, 'sums');
  t.throws(() => directory.bind(1, 'sums'), { code: 'ERR_HEDDLE_ADDRESS_IN_USE', message: /member-0 \(id=0\)/ });
  t.throws(() => directory.bind(0, 'sums'), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' });
  directory.unbind(1, 'sums');
  t.throws(() => directory.bind(1, 'sums'), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' }, 'another one cannot unbind it');
  directory.unbind(0, 'sums');
  t.notThrows(() => directory.bind(1, 'sums'));
});

test('names are checked', (t) => {
  const { directory } = makeDirectory(1);
  t.throws(() => directory.bind(0, ''), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => directory.bind(0, 'x'.repeat(256)), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => directory.bind(0, 5 as never), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => directory.bind(9, 'x'), { code: 'ERR_HEDDLE_INVALID_STATE' });
  for (let count = 0; count < 4096; count++) directory.bind(0, `name-${count}`);
  t.throws(() => directory.bind(0, 'one more'), { code: 'ERR_HEDDLE_INVALID_STATE' });
});

test('a context id is entered once', (t) => {
  const { directory } = makeDirectory(1);
  t.throws(() => directory.add(new Member(0)), { code: 'ERR_HEDDLE_INVALID_STATE' });
});

test('nothing listens: refused', async (t) => {
  const { directory } = makeDirectory(1);
  await t.throwsAsync(directory.connect(0, 'nowhere'), { code: 'ERR_HEDDLE_REFUSED' });
});

test('the owner gets its end first, the connecting context before its promise resolves', async (t) => {
  const { directory, members, log, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  t.is(await directory.connect(0, 'sums'), 1);
  t.deepEqual(log, ['attach 1 to 0', 'attached 1', 'attach 0 to 1', 'attached 0']);
  const [atZero, atOne] = [members[0]!.attached[0]!, members[1]!.attached[0]!];
  t.is(atZero.incoming, atOne.outgoing);
  t.is(atZero.outgoing, atOne.incoming);
  t.true(atZero.initiator);
  t.false(atOne.initiator);
  end();
});

test('a pair serves all portals of both contexts, in both directions', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'a');
  directory.bind(1, 'b');
  directory.bind(0, 'c');
  t.deepEqual(
    await Promise.all([directory.connect(0, 'a'), directory.connect(0, 'b'), directory.connect(1, 'c')]),
    [1, 1, 0],
  );
  t.is(members[0]!.attached.length, 1);
  t.is(members[1]!.attached.length, 1);
  end();
});

test('once either end has closed the link, a connect makes a new pair', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  await directory.connect(0, 'sums');
  closeRing(members[1]!.attached[0]!.outgoing);
  await directory.connect(0, 'sums');
  t.is(members[0]!.attached.length, 2);
  t.not(members[0]!.attached[0]!.incoming, members[0]!.attached[1]!.incoming);
  await directory.connect(0, 'sums');
  t.is(members[0]!.attached.length, 2);
  end();
});

test('a context can connect to itself and gets both ends', async (t) => {
  const { directory, members, end } = makeDirectory(1);
  directory.bind(0, 'self');
  t.is(await directory.connect(0, 'self'), 0);
  t.deepEqual(
    members[0]!.attached.map((pair) => pair.initiator),
    [false, true],
  );
  directory.contextEnded(0, lost(0));
  t.deepEqual(members[0]!.detached, []);
  end();
});

test('when a context ends, its names are free and those who shared rings with it are told', async (t) => {
  const { directory, members, end } = makeDirectory(3);
  directory.bind(1, 'sums');
  await directory.connect(0, 'sums');
  const error = lost(1);
  directory.contextEnded(1, error);
  t.deepEqual(members[0]!.detached, [{ peerContextId: 1, error }]);
  t.deepEqual(members[1]!.detached, []);
  t.deepEqual(members[2]!.detached, []);
  await t.throwsAsync(directory.connect(0, 'sums'), { code: 'ERR_HEDDLE_REFUSED' });
  t.throws(() => directory.bind(1, 'again'), { code: 'ERR_HEDDLE_INVALID_STATE' });
  t.notThrows(() => directory.bind(2, 'sums'));
  t.notThrows(() => directory.contextEnded(1, error));
  end();
});

test('an id that is given again knows nothing of the one before', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  await directory.connect(0, 'sums');
  directory.contextEnded(1, lost(1));
  const next = new Member(1);
  directory.add(next);
  directory.bind(1, 'sums');
  t.is(await directory.connect(0, 'sums'), 1);
  t.is(members[0]!.attached.length, 2);
  t.is(next.attached.length, 1);
  end();
});

test('the owner is lost while a context waits for it: the connect rejects, and nothing was attached to take back', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  members[1]!.attachResult = () => new Promise(() => {});
  const connecting = directory.connect(0, 'sums');
  directory.contextEnded(1, lost(1));
  await t.throwsAsync(connecting, { code: 'ERR_HEDDLE_CONTEXT_LOST', message: /context 1 crashed/ });
  t.deepEqual(members[0]!.attached, []);
  t.deepEqual(members[0]!.detached, []);
  end();
});

test('the connecting context is lost meanwhile: the owner is told, and its end is not handed over', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  let release = () => {};
  members[1]!.attachResult = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const connecting = directory.connect(0, 'sums');
  directory.contextEnded(0, lost(0));
  release();
  await t.throwsAsync(connecting, { code: 'ERR_HEDDLE_CONTEXT_LOST' });
  t.is(members[1]!.detached.length, 1);
  t.deepEqual(members[0]!.attached, []);
  end();
});

test('a context that cannot attach: the connect rejects with its error, and the other end is taken back', async (t) => {
  const { directory, members, end } = makeDirectory(2);
  directory.bind(1, 'sums');
  members[0]!.attachResult = () => Promise.reject(new RangeError('no room'));
  await t.throwsAsync(directory.connect(0, 'sums'), { message: 'no room' });
  t.is(members[1]!.detached[0]!.error.code, 'ERR_HEDDLE_DISCONNECTED');
  members[0]!.attachResult = async () => {};
  t.is(await directory.connect(0, 'sums'), 1, 'the next one starts afresh');
  end();
});

test('whatever happens in whatever order: connects settle, pairs match, survivors are told', async (t) => {
  const count = 4;
  const id = fc.integer({ min: 0, max: count - 1 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('bind' as const), id, name: id }),
    fc.record({ kind: fc.constant('unbind' as const), id, name: id }),
    fc.record({ kind: fc.constant('connect' as const), id, name: id }),
    fc.record({ kind: fc.constant('close' as const), id, name: id }),
    fc.record({ kind: fc.constant('end' as const), id, name: id }),
    fc.record({ kind: fc.constant('turn' as const), id, name: id }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { directory, members, end } = makeDirectory(count);
      const ended = new Set<number>();
      const settled: Promise<unknown>[] = [];
      const connected: [id: number, peer: number][] = [];
      for (const member of members) member.attachResult = () => new Promise((resolve) => setImmediate(resolve));
      try {
        for (const { kind, id, name } of steps) {
          if (kind === 'turn') await new Promise((resolve) => setImmediate(resolve));
          else if (kind === 'connect') {
            settled.push(
              directory.connect(id, `${name}`).then(
                (peer) => connected.push([id, peer]),
                (error) => {
                  if (!(error instanceof HeddleError)) throw error;
                },
              ),
            );
          } else if (kind === 'end') {
            ended.add(id);
            directory.contextEnded(id, lost(id));
          } else if (kind === 'close') {
            const pair = members[id]!.attached.at(-1);
            if (pair !== undefined) closeRing(pair.outgoing);
          } else if (!ended.has(id)) {
            try {
              directory[kind](id, `${name}`);
            } catch (error) {
              if ((error as HeddleError).code !== 'ERR_HEDDLE_ADDRESS_IN_USE') throw error;
            }
          }
        }
        await Promise.all(settled);
        await new Promise((resolve) => setImmediate(resolve));
        // Not before: while one connect is answered, another may be replacing a pair that was closed.
        for (const [id, peer] of connected) {
          if (ended.has(id) || ended.has(peer)) continue;
          const pair = members[id]!.attached.findLast((candidate) => candidate.peerContextId === peer)!;
          const other = members[peer]!.attached.find((candidate) => candidate.outgoing === pair.incoming);
          if (other === undefined) throw new Error('the peer has another pair');
        }
        for (const member of members) {
          if (ended.has(member.id)) continue;
          for (const { peerContextId } of member.attached) {
            const told = member.detached.some((detached) => detached.peerContextId === peerContextId);
            if (told !== ended.has(peerContextId)) throw new Error(`told=${told} of the end of ${peerContextId}`);
          }
        }
      } finally {
        end();
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});
