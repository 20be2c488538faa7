import { type ErrorCode, errorCodes, HeddleError } from '../errors.js';
import { closeRecordType } from './frame.js';
import { type MemoryBlock, recordHeaderBytes } from './record.js';

/**
 * The record by which a link ends in order. Without an error it is a header alone; with one it carries code and
 * message, so that the peer can say why.
 *
 * ```
 *   0          4        8            12              16
 *   +----------+--------+------------+---------------+--------------+-----------------+
 *   | length   | type 1 | code bytes | message bytes | code (utf-8) | message (utf-8) |
 *   +----------+--------+------------+---------------+--------------+-----------------+
 * ```
 */
const fixedBytes = 16;
/** Longer codes and messages are cut. */
const maximumCodeBytes = 64;
const maximumMessageBytes = 1024;

/** Bytes of the record that carries `error`. */
export function encodeCloseRecord(error: HeddleError | undefined): Buffer {
  if (error === undefined) {
    const record = Buffer.alloc(recordHeaderBytes);
    record.writeInt32LE(recordHeaderBytes, 0);
    record.writeInt32LE(closeRecordType, 4);
    return record;
  }
  const code = Buffer.from(error.code).subarray(0, maximumCodeBytes);
  const message = Buffer.from(error.message).subarray(0, maximumMessageBytes);
  const record = Buffer.alloc(fixedBytes + code.length + message.length);
  record.writeInt32LE(record.length, 0);
  record.writeInt32LE(closeRecordType, 4);
  record.writeInt32LE(code.length, 8);
  record.writeInt32LE(message.length, 12);
  code.copy(record, fixedBytes);
  message.copy(record, fixedBytes + code.length);
  return record;
}

/**
 * The error that a close record carries, or undefined. An unknown code, from a newer peer say, becomes
 * `ERR_HEDDLE_DISCONNECTED` and stays in the details. A record that does not parse yields `ERR_HEDDLE_MALFORMED`.
 */
export function decodeCloseRecord(block: MemoryBlock, start: number, lengthBytes: number): HeddleError | undefined {
  if (lengthBytes === recordHeaderBytes) return undefined;
  const bytes = block.bytes;
  const codeBytes = lengthBytes >= fixedBytes ? bytes.readInt32LE(start + 8) : -1;
  const messageBytes = lengthBytes >= fixedBytes ? bytes.readInt32LE(start + 12) : -1;
  if (
    codeBytes < 0 ||
    codeBytes > maximumCodeBytes ||
    messageBytes < 0 ||
    messageBytes > maximumMessageBytes ||
    fixedBytes + codeBytes + messageBytes !== lengthBytes
  ) {
    return new HeddleError(
      'ERR_HEDDLE_MALFORMED',
      `the peer ended the link with a record that does not parse: recordBytes=${lengthBytes} ` +
        `codeBytes=${codeBytes} messageBytes=${messageBytes}`,
      { details: { recordBytes: lengthBytes, codeBytes, messageBytes } },
    );
  }
  const codeStart = start + fixedBytes;
  const messageStart = codeStart + codeBytes;
  const code = bytes.toString('utf8', codeStart, messageStart);
  const message = bytes.toString('utf8', messageStart, messageStart + messageBytes);
  const known = Object.hasOwn(errorCodes, code);
  return new HeddleError(known ? (code as ErrorCode) : 'ERR_HEDDLE_DISCONNECTED', message, {
    details: { remote: true, remoteCode: code },
  });
}
