import { open } from 'node:fs/promises';
import type { ContextMain } from 'heddle';

interface Service {
  readonly uri: string;
  readonly path: string;
}

/** Reads pieces of one file into buffers that then move, or are read by the network card from where they lie. */
export default (async (context, { uri, path }) => {
  const file = await open(path);
  context.once('stopping', () => void file.close());
  const server = await context.listen(uri, {
    onRequest: async ({ value }) => {
      if (value === 'size') return (await file.stat()).size;
      const { offset, lengthBytes } = value;
      const buffer = context.allocate(lengthBytes);
      await file.read(buffer.bytes, 0, lengthBytes, offset);
      return buffer;
    },
  });
  return server.uri;
}) satisfies ContextMain<Service, string>;
