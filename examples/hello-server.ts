import type { ContextMain } from 'heddle';

/** Greets at `uri`, and returns where it really listens: a tcp port of 0 has become a number. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onRequest: (message) => `Hello, ${message.value.name}!`,
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
