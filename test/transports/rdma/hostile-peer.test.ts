import test, { type ExecutionContext } from 'ava';
import { type Context, createNode, type HeddleError } from '../../../src/index.js';
import { encodeHello, linkVersion } from '../../../src/transports/hello.js';
import { SubmissionKind } from '../../../src/transports/rdma/queues.js';
import { type EndpointOwner, RdmaWorker, type RegisteredBlock } from '../../../src/transports/rdma/rdma-worker.js';
import { Random } from '../../sim/random.js';

const helloBytes = 32;
const hello = encodeHello({ version: linkVersion, side: 1, maximumRecordBytes: 65536, instanceId: 'cd'.repeat(16) });

/** A peer that speaks UCX well, and heddle as a test wants. */
class HostilePeer implements EndpointOwner {
  readonly worker: RdmaWorker;
  readonly block: RegisteredBlock;
  readonly endpoint: number;
  frames = 0;
  hellos = 0;
  isLost = false;
  isGone = false;

  constructor(t: ExecutionContext, uri: string) {
    this.worker = new RdmaWorker({ onAccepted: () => this, onWake: () => {} }, false);
    t.teardown(() => this.worker.close());
    this.block = this.worker.allocateBlock(256 * 1024);
    this.endpoint = this.worker.native.connect('127.0.0.1', Number(new URL(uri).port));
    this.worker.setOwner(this.endpoint, this);
  }

  send(kind: number, bytes: Uint8Array, reference = 0): void {
    this.block.bytes.set(bytes);
    this.worker.submit(
      kind,
      this.endpoint,
      { onOperationDone() {} },
      undefined,
      this.block.memoryId,
      0,
      bytes.length,
      reference,
    );
    this.worker.flush();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.worker.poll(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  onFrame(): void {
    this.frames++;
  }
  onHello(): void {
    this.hellos++;
  }
  onFailed(): void {
    this.isLost = true;
    this.worker.submitClose(this.endpoint);
    this.worker.flush();
  }
  onClosed(): void {
    this.isGone = true;
  }
  onViolation(): void {}
}

async function service(t: ExecutionContext): Promise<{ context: Context; uri: string; reports: HeddleError[] }> {
  const node = createNode();
  const reports: HeddleError[] = [];
  node.context.on('report', (error) => reports.push(error));
  t.teardown(() => node.close());
  const server = await node.context.listen('rdma://127.0.0.1:0', { onRequest: (message) => message.value });
  return { context: node.context, uri: server.uri, reports };
}

/** Whether the service still serves others. */
async function answersOthers(t: ExecutionContext, uri: string): Promise<void> {
  const node = createNode();
  const connection = await node.context.connect(uri);
  t.is((await connection.request('still there?')).value, 'still there?');
  await node.close();
}

test('a peer that does not say hello as heddle does is refused, and harms nobody else', async (t) => {
  const { uri } = await service(t);
  const wrongs: Uint8Array[] = [
    Buffer.alloc(helloBytes, 0xff),
    Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    hello.subarray(0, 31),
    encodeHello({ version: 9, side: 1, maximumRecordBytes: 65536, instanceId: 'cd'.repeat(16) }),
    encodeHello({ version: linkVersion, side: 2, maximumRecordBytes: 65536, instanceId: 'cd'.repeat(16) }),
    encodeHello({ version: linkVersion, side: 1, maximumRecordBytes: 3, instanceId: 'cd'.repeat(16) }),
  ];
  for (const wrong of wrongs) {
    const peer = new HostilePeer(t, uri);
    peer.send(SubmissionKind.hello, wrong);
    await peer.until(() => peer.isLost && peer.isGone);
    t.is(peer.frames, 0);
  }
  await answersOthers(t, uri);
});

test('random frames from a peer close its link with a coded error, and nothing else', async (t) => {
  const { context, uri, reports } = await service(t);
  const random = new Random(20261121);
  const below = (limit: number) => random.integer(0, limit - 1);
  for (let round = 0; round < 40; round++) {
    const peer = new HostilePeer(t, uri);
    peer.send(SubmissionKind.hello, hello);
    await peer.until(() => peer.hellos === 1);
    for (let frame = 0; frame < 4; frame++) {
      const bytes = Buffer.alloc(8 * (1 + below(64)));
      for (let index = 0; index < bytes.length; index++) bytes[index] = below(256);
      if (below(2) === 0) {
        // A header that is right but for what the dice say, so that the records are looked at too.
        bytes.writeInt32LE(bytes.length, 0);
        bytes.writeInt32LE(0x68 | (0x64 << 8) | (0x6c << 16) | (1 << 24), 4);
        if (bytes.length >= 32) {
          bytes.writeInt32LE(frame, 8);
          bytes.writeInt32LE(1, 12);
          bytes.writeInt32LE(bytes.length - 16, 16);
          bytes.writeInt32LE(16 + below(40), 20);
        }
      }
      peer.send(SubmissionKind.frame, bytes);
      peer.worker.poll(1000);
      if (below(3) === 0) peer.send(SubmissionKind.sendBuffer, Buffer.alloc(20_000), below(1000));
      if (below(8) === 0) peer.send(SubmissionKind.hello, hello);
      if (peer.isLost) break;
    }
    peer.worker.submitClose(peer.endpoint);
    peer.worker.flush();
    await peer.until(() => peer.isGone);
    peer.worker.close();
  }
  for (const error of reports) t.regex(error.code, /^ERR_HEDDLE_/);
  await answersOthers(t, uri);
  t.is(context.connectionCount, 0);
});

test('large messages that are offered and never announced cost their sender its link, not the service its memory', async (t) => {
  const { context, uri } = await service(t);
  const peer = new HostilePeer(t, uri);
  peer.send(SubmissionKind.hello, hello);
  await peer.until(() => peer.hellos === 1);
  const before = context.memory.slabBytes;
  // The same number twice is against the protocol.
  peer.send(SubmissionKind.sendBuffer, Buffer.alloc(100_000), 7);
  peer.send(SubmissionKind.sendBuffer, Buffer.alloc(100_000), 7);
  await peer.until(() => peer.frames > 0 || peer.isLost);
  t.is(context.memory.slabBytes, before);
  await answersOthers(t, uri);
});
