import type { ContextMain } from 'heddle';

/** Where clients knock: accepts their sessions, and sends every connection to a portal of a server context. */
export default (async (context, { uri, portals }) => {
  const server = await context.listen(uri, {
    onSession: (request) => request.accept({ portals }),
  });
  return server.uri;
}) satisfies ContextMain<{ uri: string; portals: string[] }, string>;
