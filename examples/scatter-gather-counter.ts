import { type ContextMain, segments } from 'heddle';

/** Answers with two pieces: the lengths of the pieces that came, and the sums of their bytes. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onRequest: (message) => {
      const pieces = message.segments;
      const lengths = Uint32Array.from(pieces, (piece) => piece.length);
      const sums = Uint32Array.from(pieces, (piece) => piece.reduce((sum, byte) => sum + byte, 0));
      const answer = segments(new Uint8Array(lengths.buffer), new Uint8Array(sums.buffer));
      message.respond(answer, { header: Buffer.from(`with the header '${message.header}'`) });
    },
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
