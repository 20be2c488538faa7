import test from 'ava';
import fc from 'fast-check';
import type { HeddleError } from '../../../src/errors.js';
import { loadBinding } from '../../../src/transports/rdma/binding.js';
import { RdmaOneSided } from '../../../src/transports/rdma/one-sided.js';
import type { OperationOwner } from '../../../src/transports/rdma/operations.js';
import { completionCapacity, completionWords, SubmissionKind } from '../../../src/transports/rdma/queues.js';
import { type RdmaWorker, RegisteredBlock } from '../../../src/transports/rdma/rdma-worker.js';
import { parseWireDescription, reachesMemory } from '../../../src/transports/rdma/wire-description.js';

const address = 0x7f00_0000_0000n;
const key = 3;
const goodKey = Buffer.from('good');
const lost = -25;
/** What is read, and after it a place for each write. */
const readableBytes = 1_000_000;
const placeBytes = 700_000;
const maximumOperations = 6;

interface Submission {
  readonly kind: number;
  readonly owner: OperationOwner<unknown>;
  readonly subject: unknown;
  readonly memoryId: number;
  readonly length: number;
  readonly offset: number;
}

/** A device that carries out what it is asked for when it is told to, in any order, and memory that it reaches. */
class Device {
  readonly memory = Buffer.alloc(readableBytes + maximumOperations * placeBytes);
  readonly submissions: Submission[] = [];
  readonly blocks = new Map<number, RegisteredBlock>();
  readonly exposed = new Set<number>();
  keys = 0;
  mayRegister = true;
  /** Bytes of puts that have ended here and have not arrived there: only a flush says that they have. */
  #onTheirWay: { readonly offset: number; readonly bytes: Buffer }[] = [];
  #nextId = 1;

  readonly worker = {
    isClosed: false,
    native: {
      registerMemory: () => {
        if (!this.mayRegister) throw new Error('no memory may be locked any more');
        this.exposed.add(this.#nextId);
        return this.#nextId++;
      },
      unregisterMemory: (id: number) => this.exposed.delete(id),
      memoryAddress: () => address,
      packKey: () => goodKey,
      unpackKey: (_endpoint: number, packed: Uint8Array) => {
        if (!goodKey.equals(packed)) throw new Error('no key');
        this.keys++;
        return key;
      },
      releaseKey: () => this.keys--,
    },
    statusText: (status: number) => `status ${status}`,
    flush: () => {},
    allocateBlock: (lengthBytes: number) => {
      const block = new RegisteredBlock(new SharedArrayBuffer(lengthBytes), this.#nextId++);
      this.blocks.set(block.memoryId, block);
      return block;
    },
    freeBlock: (block: RegisteredBlock) => this.blocks.delete(block.memoryId),
    submitRemote: (
      kind: number,
      _endpoint: number,
      owner: OperationOwner<unknown>,
      subject: unknown,
      memoryId: number,
      length: number,
      _key: number,
      remote: bigint,
    ) => this.submissions.push({ kind, owner, subject, memoryId, length, offset: Number(remote - address) }),
  } as unknown as RdmaWorker;

  /** One of what is under way ends. */
  end(choice: number, status: number): void {
    const { submissions, memory } = this;
    const [one] = submissions.splice(choice % submissions.length, 1) as [Submission];
    const { kind, memoryId, length, offset } = one;
    const block = this.blocks.get(memoryId)?.bytes;
    if (status === 0 && kind === SubmissionKind.get) memory.copy(block!, 0, offset, offset + length);
    if (status === 0 && kind === SubmissionKind.put) {
      this.#onTheirWay.push({ offset, bytes: Buffer.from(block!.subarray(0, length)) });
    }
    if (status === 0 && kind === SubmissionKind.flush) {
      for (const put of this.#onTheirWay) memory.set(put.bytes, put.offset);
      this.#onTheirWay = [];
    }
    one.owner.onOperationDone(one.subject, status);
  }
}

function makeWire() {
  const device = new Device();
  const link = { isOpen: true, peerAddress: 'a peer' };
  return { device, link, wire: new RdmaOneSided(device.worker, 1, link) };
}

const operation = fc.record({
  isRead: fc.boolean(),
  offset: fc.nat({ max: 200_000 }),
  length: fc.oneof(fc.constantFrom(0, 1, 262_144, 262_145), fc.nat({ max: placeBytes })),
  isAbandoned: fc.boolean(),
});

test('reads and writes go in pieces, in any order; each ends once, with its bytes or an error', (t) => {
  const property = fc.property(
    fc.array(operation, { minLength: 1, maxLength: maximumOperations }),
    fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 30 }),
    fc.oneof(fc.constant(undefined), fc.nat({ max: 20 })),
    (operations, order, failsAt) => {
      const { device, link, wire } = makeWire();
      for (let at = 0; at < readableBytes; at++) device.memory[at] = at % 251;
      const remote = wire.attach(address, goodKey);
      const ends: (HeddleError | undefined)[][] = operations.map(() => []);
      const targets = operations.map(({ length }, index) => Buffer.alloc(length, index + 1));
      operations.forEach(({ isRead, offset, isAbandoned }, index) => {
        const onEnd = (error?: HeddleError) => {
          ends[index]!.push(error);
          if (error !== undefined || isRead) return;
          const place = readableBytes + index * placeBytes;
          t.true(device.memory.subarray(place, place + targets[index]!.length).equals(targets[index]!), 'it is there');
        };
        const target = targets[index]!;
        const transfer = isRead
          ? remote.read(offset, target, onEnd)
          : remote.write(readableBytes + index * placeBytes, target, onEnd);
        if (isAbandoned && isRead) transfer.abandon();
      });
      let steps = 0;
      for (; device.submissions.length > 0; steps++) {
        t.true(device.blocks.size <= 4, 'a link takes few blocks');
        // The wire breaks: from now on nothing succeeds.
        if (steps === failsAt) link.isOpen = false;
        device.end(order[steps % order.length]!, link.isOpen ? 0 : lost);
      }
      if (link.isOpen) t.true(ends.every((end) => end.length === 1 && end[0] === undefined));
      link.isOpen = false;
      wire.end();
      operations.forEach(({ isRead, offset, length, isAbandoned }, index) => {
        t.is(ends[index]!.length, 1, 'each has ended once');
        const [error] = ends[index]!;
        const target = targets[index]!;
        if (error !== undefined) t.is(error.code, 'ERR_HEDDLE_DISCONNECTED');
        else if (isRead && !isAbandoned) t.true(target.equals(device.memory.subarray(offset, offset + length)));
        if (isRead && isAbandoned)
          t.true(
            target.every((byte) => byte === index + 1),
            'nobody touches it',
          );
      });
      t.is(device.blocks.size, 0, 'all blocks are given back');
      remote.release();
    },
  );
  t.notThrows(() => fc.assert(property, { numRuns: 60 }));
});

test('a key that UCX cannot use leaves the region to records, and what cannot be registered is not exposed', (t) => {
  const { device, link, wire } = makeWire();
  for (const bad of [Buffer.from('bad'), Buffer.alloc(0), Buffer.alloc(2000)]) {
    const remote = wire.attach(address, bad);
    t.false(remote.isUsable);
    remote.release();
  }
  t.is(device.keys, 0);
  const remote = wire.attach(address, goodKey);
  t.true(remote.isUsable);
  remote.release();
  t.is(device.keys, 0);
  device.mayRegister = false;
  t.is(wire.expose(new Uint8Array(8), t.fail), undefined);
  t.is(wire.expose(new Uint8Array(0), t.fail), undefined);
  link.isOpen = false;
  t.false(wire.attach(address, goodKey).isUsable);
});

test('what was exposed is released once: when the peer is done with it, or the wire has ended', (t) => {
  const { device, wire } = makeWire();
  let released = 0;
  const [first] = [1, 2, 3].map(() => wire.expose(new Uint8Array(8), () => released++));
  t.is(device.exposed.size, 3);
  first!.release();
  first!.release();
  t.deepEqual([released, device.exposed.size], [1, 2]);
  wire.end();
  wire.end();
  t.deepEqual([released, device.exposed.size], [3, 0]);
  t.is(wire.expose(new Uint8Array(8), t.fail), undefined);
});

/** A wire with one lane of that transport. */
function lane(transport: string): string {
  return `#     lane[0]:  5:${transport}/mlx5_0:1.0 md[4]    -> md[4]/ib/sysdev[255] rma_bw#0 am am_bw#0\n`;
}

test('only connected transports of devices reach memory: for datagrams, sockets and shared memory UCX does it in software', (t) => {
  const reach = (...transports: string[]) => reachesMemory(parseWireDescription(transports.map(lane).join('')));
  for (const transport of ['rc_verbs', 'rc_mlx5', 'dc_mlx5']) t.true(reach(transport), transport);
  for (const transport of ['ud_verbs', 'ud_mlx5', 'tcp', 'sysv', 'posix', 'self']) t.false(reach(transport), transport);
  t.false(reach('tcp', 'rc_verbs'));
  t.false(reach());
});

test('UCX is started with one-sided operations where it has a device for them, and not elsewhere, whoever asks', (t) => {
  const { Worker, describeResources } = loadBinding();
  const completions = new Int32Array(new SharedArrayBuffer(4 * completionCapacity * completionWords));
  const make = (oneSided: boolean) =>
    new Worker(
      new Int32Array(new SharedArrayBuffer(4096)),
      completions,
      new Uint8Array(new SharedArrayBuffer(65_536)),
      () => {},
      oneSided,
    );
  const asking = make(true);
  t.is(asking.isOneSided(), /-- (rc|dc)_\S+\/\S+/.test(describeResources()));
  asking.close();
  const other = make(false);
  t.false(other.isOneSided());
  other.close();
});
