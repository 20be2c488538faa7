/** Scatter/gather: several pieces of memory travel as one message and arrive as the same pieces. */
import { createNode, segments } from 'heddle';
import type counter from './scatter-gather-counter.js';

const uri = process.argv[2] ?? 'shm://counter';

const node = createNode();
const service = await node.startContext<typeof counter>(new URL('./scatter-gather-counter.js', import.meta.url), {
  data: uri,
});
const connection = await node.context.connect(service.value);

// As one would have them at hand: nothing is joined first.
const pieces = Array.from({ length: 255 }, (_, index) => Buffer.alloc(1024, index));
const response = await connection.request(segments(...pieces), { header: Buffer.from('255 pieces of 1 KiB') });

const [lengths, sums] = response.segments;
console.log(`${lengths.length / 4} pieces arrived, ${response.header}`);
const intact = pieces.every(
  (piece, index) =>
    lengths.readUInt32LE(4 * index) === piece.length && sums.readUInt32LE(4 * index) === 1024 * piece[0],
);
console.log(intact ? 'each with its length and its bytes' : 'but not as they were sent');
response.release();

await node.close();
if (!intact) process.exitCode = 1;
