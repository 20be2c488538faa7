import type { ChannelOptions } from './call-channel.js';
import { CallError } from './call-channel.js';
import type { LayoutMode } from './layout-table.js';

/*
 * What client and metadata server say to each other.
 *
 *   client calls     layout-get { id, file, start, end, mode }   -> { granted }, or later the callback `granted`
 *                    layout-return { id }
 *                    read { id, start, end }                     -> bytes
 *                    write { id, start, bytes }
 *                    renew                                       -> { held }: ids that it may go on to use
 *                    end-session
 *   server calls     granted { id }
 *                    recall { id }                               -> { isKnown }; `layout-return` follows when it is
 *                    revoked { id }
 */

/** Layouts begin and end at multiples of this. */
export const blockBytes = 4096;
/** The largest layout. */
export const maximumLayoutBytes = 1024 * 1024;
/** The most that one `read` or `write` moves. */
export const maximumTransferBytes = 64 * 1024;
/** The largest file. */
export const maximumFileBytes = 2 ** 40;

/** What a client says of itself when it connects. */
export interface Introduction {
  /** The client's name: one at a time has it. */
  readonly clientId: string;
  /** Drawn by each start of the client, so that a restarted one is not taken for the one before. */
  readonly incarnation: string;
  /** The session to go on with; without it a new one begins. */
  readonly sessionId?: number;
}

/** What the server answers. */
export interface Welcome {
  readonly sessionId: number;
  readonly leaseMs: number;
}

/** What `layout-get` asks for. */
export interface LayoutRequest {
  readonly id: number;
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly mode: LayoutMode;
}

/** The server's half of a channel: it answers up to 16 calls of a client at once, and has 4 callbacks under way. */
export const serverChannel: ChannelOptions = {
  caller: { slots: 4, maximumWaiting: 4096, retransmitMs: 100, timeoutMs: 30_000 },
  callee: { sessionSlots: 16, requestSlots: 16, whenNoSlot: { kind: 'allocate', maximum: 16 } },
  concurrency: 16,
};

/** The client's half: callbacks that find no slot are dropped, and come again. */
export const clientChannel: ChannelOptions = {
  caller: { slots: 16, maximumWaiting: 4096, retransmitMs: 200, timeoutMs: 30_000 },
  callee: { sessionSlots: 4, requestSlots: 4, whenNoSlot: { kind: 'drop' } },
  concurrency: 1,
};

/** The private data of a session's setup. */
export function encodeSetup(setup: Introduction | Welcome): Buffer {
  return Buffer.from(JSON.stringify(setup));
}

/** Reads what a client says of itself; undefined when that is no introduction. */
export function readIntroduction(data: Buffer): Introduction | undefined {
  let fields: Partial<Introduction>;
  try {
    fields = (JSON.parse(data.toString()) ?? {}) as Partial<Introduction>;
  } catch {
    return undefined;
  }
  const { clientId, incarnation, sessionId } = fields;
  const isName = (name: unknown): name is string => typeof name === 'string' && /^[\w.:-]{1,64}$/.test(name);
  if (!isName(clientId) || !isName(incarnation)) return undefined;
  if (sessionId !== undefined && !isInteger(sessionId, 0, 2 ** 32 - 1)) return undefined;
  return { clientId, incarnation, ...(sessionId !== undefined && { sessionId }) };
}

function isInteger(value: unknown, minimum: number, maximum: number): value is number {
  return Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
}

/** Checks what came from the other side: throws what the caller then gets. */
export const check = {
  id(value: unknown): number {
    if (!isInteger(value, 0, 2 ** 53 - 1)) throw new CallError('bad-argument', `id=${String(value)}`);
    return value;
  },
  range(start: unknown, end: unknown, maximumBytes: number): { start: number; end: number } {
    if (!isInteger(start, 0, maximumFileBytes) || !isInteger(end, 0, maximumFileBytes)) {
      throw new CallError('bad-argument', `start=${String(start)} end=${String(end)}`);
    }
    if (start >= end || end - start > maximumBytes) {
      throw new CallError('bad-argument', `a range of ${end - start} bytes, maximumBytes=${maximumBytes}`);
    }
    return { start, end };
  },
  file(value: unknown): string {
    // No separators, and no dot to begin with: the name stays in the store's folder.
    if (typeof value !== 'string' || !/^\w[\w.-]{0,199}$/.test(value)) {
      throw new CallError('bad-argument', `file=${String(value).slice(0, 50)}`);
    }
    return value;
  },
  mode(value: unknown): LayoutMode {
    if (value !== 'read' && value !== 'write') throw new CallError('bad-argument', `mode=${String(value)}`);
    return value;
  },
  bytes(value: unknown): Uint8Array {
    if (!(value instanceof Uint8Array)) throw new CallError('bad-argument', 'bytes are wanted');
    return value;
  },
};
