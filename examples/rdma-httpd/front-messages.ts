import type { Fields } from './hooks.js';

/** What the front, which has the sockets, tells a worker. */
export type FrontPost =
  | { readonly type: 'open'; readonly connection: number; readonly peerAddress: string }
  | {
      readonly type: 'request';
      readonly connection: number;
      readonly request: number;
      readonly method: string;
      readonly target: string;
      readonly fields: Fields;
    }
  | { readonly type: 'close'; readonly connection: number };

/**
 * What a worker tells the front. Pieces of a body go beside it: SharedBuffers, which move, with the request's number as
 * their header; the receipt for a piece comes when the client's socket has taken it.
 */
export type WorkerPost =
  | { readonly type: 'head'; readonly request: number; readonly status: number; readonly fields: Fields }
  | { readonly type: 'end'; readonly request: number; readonly trailers: Fields }
  | { readonly type: 'abort'; readonly request: number };

export function requestHeader(request: number): Buffer {
  const header = Buffer.allocUnsafe(4);
  header.writeUInt32LE(request);
  return header;
}
