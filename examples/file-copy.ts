/** Copies a large file from another context, a few pieces at a time, and shows how far it is, how fast, and by which wire. */
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createNode } from 'heddle';
import type server from './file-copy-server.js';

const [uri = 'shm://files', givenSource, givenTarget] = process.argv.slice(2);
const pieceBytes = 1024 * 1024;
/** Pieces asked for at a time: while one is written, others are on their way. */
const piecesUnderWay = 4;
const barWidth = 30;

// Without names of files of your own, one of 48 MiB is made up.
const folder = await mkdtemp(join(tmpdir(), 'heddle-copy-'));
const source = givenSource ?? join(folder, 'source');
const target = givenTarget ?? join(folder, 'target');
if (givenSource === undefined) await writeFile(source, randomFillSync(Buffer.allocUnsafe(48 * pieceBytes)));

const node = createNode();
const module = new URL('./file-copy-server.js', import.meta.url);
const service = await node.startContext<typeof server>(module, { data: { uri, path: source } });
const connection = await node.context.connect(service.value);
await copy(connection);
console.log(`the copy is the same: ${(await digest(source)) === (await digest(target)) ? 'yes' : 'no'}`);
await node.close();
await rm(folder, { recursive: true });

async function copy(from: Connection): Promise<void> {
  const { value: totalBytes } = await from.request('size');
  const file = await open(target, 'w');
  const startMs = performance.now();
  let nextByte = 0;
  let doneBytes = 0;
  const fetchPieces = async () => {
    while (nextByte < totalBytes) {
      const offset = nextByte;
      nextByte += pieceBytes;
      using response = await from.request({ offset, lengthBytes: Math.min(pieceBytes, totalBytes - offset) });
      await file.write(response.data, 0, response.length, offset);
      doneBytes += response.length;
      showProgress(doneBytes, totalBytes, performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: piecesUnderWay }, fetchPieces));
  await file.close();
}

/** A bar that grows in its place on a terminal, and a line for each quarter elsewhere. */
function showProgress(doneBytes: number, totalBytes: number, elapsedMs: number): void {
  const part = doneBytes / totalBytes;
  const bar = '#'.repeat(Math.floor(part * barWidth)).padEnd(barWidth, '.');
  const perSecond = Math.round(doneBytes / 1_000_000 / (elapsedMs / 1000));
  const line = `[${bar}] ${`${Math.floor(part * 100)}`.padStart(3)} %  ${perSecond} MB/s by ${wireName()}`;
  if (process.stdout.isTTY) process.stdout.write(`\r${line}${part === 1 ? '\n' : ''}`);
  else if (doneBytes % (totalBytes / 4) < pieceBytes) console.log(line);
}

/** What really carries the bytes: over rdma, UCX's transport and the device that it uses. */
function wireName(): string {
  const { transports = [], devices = [] } = connection.wire ?? {};
  return [uri.split(':')[0], ...transports.slice(0, 1), ...devices.slice(0, 1)].join(' ');
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes);
  return hash.digest('hex');
}
