import { randomBytes } from 'node:crypto';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { HeddleError } from '../errors.js';
import { frameVersion } from './frame.js';

/**
 * The hello: the first bytes each way on a socket, or the first active message, the connecting side's first. Its 32 bytes
 * keep the frames behind it aligned.
 *
 * ```
 *   0                 8           10         12             16                            32
 *   +-----------------+-----------+----------+--------------+-----------------------------+
 *   | 'heddle\r\n'    | version   | side     | max. record  | instance id                 |
 *   |                 | (uint16)  | (uint16) | (int32)      | (16 random bytes)           |
 *   +-----------------+-----------+----------+--------------+-----------------------------+
 * ```
 *
 * - `side` is 1 on the side that connected, 2 on the one that listens: a socket that got connected to itself, as
 *   happens on loopback when nothing listens at an ephemeral port, is noticed by it.
 * - The maximum record is the largest that this side takes, in bytes.
 * - The instance id tells processes apart, a restarted one from its predecessor at the same address too.
 * - Magic, version and side lie at the same place in all versions, so that a mismatch can be told.
 */
export const helloBytes = 32;
/** The version of everything that travels on a link: hello, frames and records. */
export const linkVersion = frameVersion;
export const helloMagic = Buffer.from('heddle\r\n', 'latin1');
export const connectingSide = 1;
export const listeningSide = 2;
/** A peer that takes less than this could not be told why a link ends. */
export const minimumAcceptedRecordBytes = 2048;

/** What a peer says of itself. */
export interface Hello {
  readonly version: number;
  readonly side: number;
  /** The largest record that the sender of the hello takes, in bytes. */
  readonly maximumRecordBytes: number;
  /** Hexadecimal. */
  readonly instanceId: string;
}

const instanceIdKey = 'heddle.instanceId';

/**
 * The random id of this process, hexadecimal: the same in all of its worker threads that were started by a thread that
 * had loaded this module, as contexts are.
 */
export const processInstanceId: string = (() => {
  const inherited = getEnvironmentData(instanceIdKey);
  if (typeof inherited === 'string') return inherited;
  const created = randomBytes(16).toString('hex');
  setEnvironmentData(instanceIdKey, created);
  return created;
})();

export function encodeHello(hello: Hello): Buffer {
  const bytes = Buffer.alloc(helloBytes);
  helloMagic.copy(bytes, 0);
  bytes.writeUInt16LE(hello.version, 8);
  bytes.writeUInt16LE(hello.side, 10);
  bytes.writeInt32LE(hello.maximumRecordBytes, 12);
  bytes.write(hello.instanceId, 16, 'hex');
  return bytes;
}

/** Whether `bytes`, the first of a socket, can still become a hello. */
export function mayBeHello(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, helloMagic.length);
  return bytes.compare(helloMagic, 0, length, 0, length) === 0;
}

/**
 * Reads a hello of {@link helloBytes} bytes whose sender should be `side`.
 * @throws HeddleError `ERR_HEDDLE_PROTOCOL` for a stranger, `ERR_HEDDLE_VERSION`
 */
export function decodeHello(bytes: Buffer, side: number, peerAddress: string): Hello {
  if (!mayBeHello(bytes)) throw strangerError(peerAddress);
  const hello: Hello = {
    version: bytes.readUInt16LE(8),
    side: bytes.readUInt16LE(10),
    maximumRecordBytes: bytes.readInt32LE(12),
    instanceId: bytes.toString('hex', 16, 32),
  };
  if (hello.version !== linkVersion) {
    throw new HeddleError(
      'ERR_HEDDLE_VERSION',
      `the heddle at ${peerAddress} speaks another version of the protocol; run compatible versions on both sides: ` +
        `version=${linkVersion} peerVersion=${hello.version}`,
      { details: { peerAddress, version: linkVersion, peerVersion: hello.version } },
    );
  }
  if (hello.side !== side) {
    throw new HeddleError(
      'ERR_HEDDLE_PROTOCOL',
      `the peer at ${peerAddress} is not ${side === listeningSide ? 'a listener' : 'a client'}: side=${hello.side}`,
      { details: { peerAddress, side: hello.side } },
    );
  }
  if (hello.maximumRecordBytes < minimumAcceptedRecordBytes) {
    throw new HeddleError(
      'ERR_HEDDLE_PROTOCOL',
      `the peer at ${peerAddress} takes records of too few bytes: maximumRecordBytes=${hello.maximumRecordBytes} ` +
        `minimum=${minimumAcceptedRecordBytes}`,
      { details: { peerAddress, maximumRecordBytes: hello.maximumRecordBytes } },
    );
  }
  return hello;
}

/** What the first bytes of a peer that is no heddle lead to. */
export function strangerError(peerAddress: string): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_PROTOCOL',
    `what spoke at ${peerAddress} is not heddle, or one side uses TLS and the other does not; its socket was closed`,
    { details: { peerAddress } },
  );
}
