/** A large buffer moves to another thread and back: over shm without a copy, over tcp as a stream of its bytes. */
import { createNode } from 'heddle';
import type painter from './large-buffer-painter.js';

const uri = process.argv[2] ?? 'shm://painter';
const imageBytes = 16 * 1024 * 1024;

const node = createNode();
const service = await node.startContext<typeof painter>(new URL('./large-buffer-painter.js', import.meta.url), {
  data: uri,
});
const connection = await node.context.connect(service.value);

const image = node.context.allocate(imageBytes);
image.bytes.fill(0);

const startedMs = performance.now();
const response = await connection.request(image);
const tookMs = performance.now() - startedMs;
// Sending moved it: from then on its bytes are the receiver's.
console.log(`the image that was sent is ${image.isHeld ? 'still ours' : 'ours no more'}`);

const painted = response.takeBuffer();
console.log(`${painted?.length} bytes came back in ${tookMs.toFixed(1)} ms`);
console.log(`its pixels are ${painted?.bytes.every((byte) => byte === 255) ? 'painted' : 'not painted'}`);
painted?.release();

await node.close();
