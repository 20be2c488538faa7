import type { ContextMain } from 'heddle';

/** Takes letters, and refuses advertisements. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onMessage: (message) => {
      if (message.value.text.includes('advertisement')) message.refuseReceipt();
    },
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
