import type { Socket } from 'node:net';

/** Longest line that a client may send, in characters. */
export const maximumLineLength = 1000;

/** The lines that a client sends. Ends when it hangs up, or sends one that is too long. */
export async function* readLines(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  socket.setEncoding('utf8');
  for await (const chunk of socket as AsyncIterable<string>) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.length > maximumLineLength) return;
      yield line;
    }
    if (rest.length > maximumLineLength) return;
  }
}
