import type { ContextMain } from 'heddle';

/** Greets at `uri`, and says from which process. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onRequest: ({ value }) => ({ greeting: `Hello, ${value.name}!`, pid: process.pid }),
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
