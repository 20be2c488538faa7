import test from 'ava';
import { UncachedFile } from '../../../examples/web-cache/bodies.js';
import { chunkBytes, type FileVersion } from '../../../examples/web-cache/cached-object.js';
import type { Loader } from '../../../examples/web-cache/loader.js';
import { createNode } from '../../../src/index.js';

const version: FileVersion = { file: '/a', lengthBytes: 3 * chunkBytes, modifiedMs: 0, contentType: 'text/plain' };

test('a piece that was read for one answer is given back when it has left, or its client has', async (t) => {
  const node = createNode();
  const held = () => node.context.memory.buffersHeld;
  const read = async (_: FileVersion, offset: number, lengthBytes: number) => {
    await new Promise(setImmediate);
    const buffer = node.context.allocate(lengthBytes);
    buffer.bytes.fill(offset / chunkBytes);
    return buffer;
  };
  const body = new UncachedFile({ read } as unknown as Loader, version, 'head', 0, version.lengthBytes);
  t.is(String(body.next()), 'head');
  for (let piece = 0; piece < 2; piece++) {
    const bytes = (await body.next())!;
    t.is(bytes.length, chunkBytes);
    t.is(bytes[0], piece);
    t.is(held(), 1, 'the one that is being sent');
  }
  const late = body.next();
  t.is(held(), 0);
  body.end();
  t.is(await late, undefined, 'the client has gone while it was read');
  t.is(held(), 0);
  await node.close();
});
