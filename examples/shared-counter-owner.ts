import type { ContextMain } from 'heddle';

/** Owns the memory, and hands out what it takes to reach it. */
export default (async (context, uri) => {
  const region = context.exportRegion(context.allocate(64), { rights: ['atomics'] });
  region.bytes.fill(0);
  const server = await context.listen(uri, { onRequest: () => region.handle });
  return server.uri;
}) satisfies ContextMain<string, string>;
