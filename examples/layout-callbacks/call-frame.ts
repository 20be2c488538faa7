/*
 * Calls and replies go both ways on one connection. Each is a one-way message whose header begins with what it is:
 *
 *   0       1        2..3          4..7   8..11       12..15     16..17   18..19
 *  +-------+--------+-------------+------+-----------+----------+--------+--------------+
 *  | kind  | status | caches      | xid  | sessionId | sequence | slot   | highest slot |
 *  +-------+--------+-------------+------+-----------+----------+--------+--------------+
 *
 * All numbers are little-endian. A reply repeats what its call said, with its own status.
 */

/** Bytes of the header. */
export const frameBytes = 20;

/** What a reply says of its call. All but `ok` and `failed` are said of the slot: the call was not run for this frame. */
export const replyStatuses = [
  'ok',
  /** It was run, and threw. */
  'failed',
  /** It is being run, or the session is being drained: ask again later. */
  'delay',
  'bad-session',
  'bad-slot',
  'bad-high-slot',
  'misordered',
  /** Slot and sequence of an earlier call, with another xid. */
  'false-retry',
  /** It was run before, and its reply was not to be kept. */
  'uncached-replay',
] as const;

/** See {@link replyStatuses}. */
export type ReplyStatus = (typeof replyStatuses)[number];

/** The header of a call or a reply. */
export interface CallFrame {
  readonly isReply: boolean;
  readonly status: ReplyStatus;
  /** Whether the callee keeps the reply, for the case that the call comes again. */
  readonly cachesReply: boolean;
  /** The caller's name for the call, the same for each transmission. */
  readonly xid: number;
  readonly sessionId: number;
  /** Counts the calls of a slot. */
  readonly sequence: number;
  readonly slot: number;
  /** The highest slot that the caller has in use. */
  readonly highestSlot: number;
}

const callKind = 0;
const replyKind = 1;

/** The inverse of {@link decodeFrame}. */
export function encodeFrame(frame: CallFrame): Buffer {
  const header = Buffer.allocUnsafe(frameBytes);
  header[0] = frame.isReply ? replyKind : callKind;
  header[1] = replyStatuses.indexOf(frame.status);
  header.writeUInt16LE(frame.cachesReply ? 1 : 0, 2);
  header.writeUInt32LE(frame.xid, 4);
  header.writeUInt32LE(frame.sessionId, 8);
  header.writeUInt32LE(frame.sequence, 12);
  header.writeUInt16LE(frame.slot, 16);
  header.writeUInt16LE(frame.highestSlot, 18);
  return header;
}

/** Reads a header that came from outside; undefined when it is none. The inverse of {@link encodeFrame}. */
export function decodeFrame(header: Buffer): CallFrame | undefined {
  if (header.length !== frameBytes || header[0]! > replyKind || header.readUInt16LE(2) > 1) return undefined;
  const status = replyStatuses[header[1]!];
  if (status === undefined) return undefined;
  return {
    isReply: header[0] === replyKind,
    status,
    cachesReply: header.readUInt16LE(2) === 1,
    xid: header.readUInt32LE(4),
    sessionId: header.readUInt32LE(8),
    sequence: header.readUInt32LE(12),
    slot: header.readUInt16LE(16),
    highestSlot: header.readUInt16LE(18),
  };
}
