/** Files of another thread or host, opened, written, read and closed over one connection, with many operations in flight. */
import { createHash, randomBytes } from 'node:crypto';
import { createNode, type HeddleError } from 'heddle';
import type server from './remote-files-server.js';
import type { FileCall, FileStatus } from './remote-files-server.js';

const uri = process.argv[2] ?? 'shm://files';
const fileBytes = 8 * 1024 * 1024;
const blockBytes = 64 * 1024;
const maximumInFlight = 32;

const node = createNode();
const service = await node.startContext<typeof server>(new URL('./remote-files-server.js', import.meta.url), {
  data: uri,
});
const connection = await node.context.connect(service.value);

async function call<Result>(operation: FileCall): Promise<Result> {
  const response = await connection.request(operation);
  return response.value as Result;
}

/** Runs `operation` for every block of the file, so many at a time. */
async function forEachBlock(operation: (offset: number) => Promise<void>): Promise<number> {
  let next = 0;
  let inFlight = 0;
  let most = 0;
  const lane = async () => {
    while (next < fileBytes) {
      const offset = next;
      next += blockBytes;
      most = Math.max(most, ++inFlight);
      await operation(offset);
      inFlight--;
    }
  };
  await Promise.all(Array.from({ length: maximumInFlight }, lane));
  return most;
}

const content = randomBytes(fileBytes);
const file = await call<number>({ name: 'open', path: 'notes.bin', flags: 'w+' });

const writing = await forEachBlock(async (offset) => {
  // Where the block goes travels in the header, and its bytes in a buffer that moves: neither is encoded.
  const block = node.context.allocate(blockBytes);
  content.copy(block.bytes, 0, offset, offset + blockBytes);
  const header = Buffer.alloc(12);
  header.writeInt32LE(file, 0);
  header.writeDoubleLE(offset, 4);
  await connection.request(block, { header });
});
const { size } = await call<FileStatus>({ name: 'fstat', file });
console.log(`wrote ${size} bytes in ${fileBytes / blockBytes} blocks, ${writing} in flight`);

const copy = Buffer.alloc(fileBytes);
const reading = await forEachBlock(async (offset) => {
  using block = await connection.request({ name: 'read', file, offset, length: blockBytes } satisfies FileCall);
  block.data.copy(copy, offset);
});
const same = createHash('sha256').update(copy).digest('hex') === createHash('sha256').update(content).digest('hex');
console.log(`read them back, ${reading} in flight: ${same ? 'the same bytes' : 'OTHER BYTES'}`);

await call({ name: 'close', file });
for (const wrong of [
  { name: 'fstat', file },
  { name: 'open', path: '../../etc/passwd', flags: 'r' },
  { name: 'open', path: 'nowhere.bin', flags: 'r' },
] satisfies FileCall[]) {
  await call(wrong).catch((error: HeddleError) => console.log(`refused: ${error.message}`));
}

await node.close();
