import type { RegionHandle } from 'heddle';

/**
 * Names the client as one that can take bodies by RDMA; in an answer, says that this body comes so.
 *
 *   Heddle-RDMA: uri=tcp://127.0.0.1:4000; token=8f..; stream=7; mode=server-writes
 */
export const rdmaField = 'heddle-rdma';
/** In the trailer of such an answer: how many bytes were sent, and taken by the client. */
export const rdmaBytesField = 'heddle-rdma-bytes';

/** Who moves the bytes: the server writes into memory that the client exports, or the client reads the server's. */
export type TransferMode = 'server-writes' | 'client-reads';

/** What a client says in a request. */
export interface RdmaOffer {
  /** The portal where the client waits for the server's session. */
  readonly uri: string;
  /** By which the client knows the server that it asked. */
  readonly token: string;
  /** Tells the segments of this answer from others. */
  readonly stream: number;
  readonly mode: TransferMode;
}

/** What the server's side says when it opens the session. */
export interface ServerGreeting {
  readonly token: string;
  /** Memory that a client may read segments from. */
  readonly staging: RegionHandle;
  readonly slots: number;
  readonly slotBytes: number;
}

/** What the client's side answers: memory that the server may write segments to, slot after slot. */
export interface ClientGreeting {
  readonly landing: RegionHandle;
  readonly slots: number;
  readonly slotBytes: number;
}

/** A segment: asked of the client, whose answer says that the bytes were taken. Segments of a stream come in order. */
export interface Segment {
  readonly stream: number;
  readonly lengthBytes: number;
  /** Where the bytes are: in the client's landing memory, in the server's staging memory, or in a region of their own. */
  readonly place: 'landing' | 'staging' | RegionHandle;
  readonly offset: number;
}

export function formatOffer({ uri, token, stream, mode }: RdmaOffer): string {
  return `uri=${uri}; token=${token}; stream=${stream}; mode=${mode}`;
}

/** Reads an offer; undefined when the field is not there, or is none. */
export function parseOffer(field: string | undefined): RdmaOffer | undefined {
  if (field === undefined || field.length > 1000) return undefined;
  const values = new Map<string, string>();
  for (const part of field.split(';')) {
    const match = /^\s*(\w+)=(\S+)\s*$/.exec(part);
    if (match === null || values.has(match[1]!)) return undefined;
    values.set(match[1]!, match[2]!);
  }
  const { uri, token, stream, mode } = Object.fromEntries(values) as Record<string, string | undefined>;
  if (uri === undefined || !/^[a-z]+:\/\/[^\s/]+/.test(uri)) return undefined;
  if (token === undefined || !/^[0-9a-f]{32}$/.test(token)) return undefined;
  if (stream === undefined || !/^\d{1,9}$/.test(stream)) return undefined;
  if (mode !== 'server-writes' && mode !== 'client-reads') return undefined;
  return { uri, token, stream: Number(stream), mode };
}
