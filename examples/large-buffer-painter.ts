import type { ContextMain } from 'heddle';

/** Paints the image that came, where it lies, and sends it back. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onRequest: (message) => {
      const image = message.takeBuffer();
      image?.bytes.fill(255);
      return image;
    },
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
