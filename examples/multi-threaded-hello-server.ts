import type { ContextMain } from 'heddle';

/** One of the service's contexts: greets whoever's connection landed at its portal. */
export default (async (context, portalUri) => {
  const server = await context.listen(portalUri, {
    onRequest: (message) => ({ greeting: `Hello, ${message.value.name}!`, from: context.name }),
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
