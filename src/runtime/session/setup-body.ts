import { HeddleError } from '../../errors.js';

/**
 * What two sides tell each other when they set up a session, a further connection of it, or take a connection up again
 * on a new link. One shape serves all these records; each kind fills in what it needs. It lies in a record's data as
 *
 * ```
 *   +----------------+----------------------+----------------------+
 *   | length of text | text: JSON of fields | private data, opaque |
 *   +----------------+----------------------+----------------------+
 *   ^ 32-bit little-endian
 * ```
 */
export interface SetupBody {
  /** The session, by a name that its client has drawn at random. */
  readonly sessionId: string;
  /** What lets a further connection into the session; drawn by the server. */
  readonly token?: string;
  /** The URI of the service that is asked for. */
  readonly uri?: string;
  /** The sender's context, by the name that the handles of its regions carry. */
  readonly context?: string;
  /** Number of the connection in its session, in the order of asking. */
  readonly index?: number;
  /** The sender's id for the connection: what the receiver writes into records. */
  readonly connectionId?: number;
  /** The receiver's own id for the connection, when a connection is taken up again. */
  readonly peerConnectionId?: number;
  readonly receiveDepthMessages?: number;
  readonly receiveDepthBytes?: number;
  /** Serial number of the first sequenced record that the sender will send. */
  readonly initialSerial?: number;
  /** Whether the sender would take up the connection again after a loss of the wire. */
  readonly resumable?: boolean;
  /** The codec of the sender: both sides must use the same. */
  readonly codec?: string;
  /** Resume: serial number of the next sequenced record that the sender expects. */
  readonly expectedSerial?: number;
  /** Resume: what the sender has released: posts, their bytes, responses, their bytes. */
  readonly released?: readonly number[];
  /** Accept: where the session's connections go, by index modulo their number. */
  readonly portals?: readonly string[];
  /** Redirect: where to ask instead, in this order. */
  readonly services?: readonly string[];
  /** Reject or refuse: why. */
  readonly reason?: string;
}

/** The most private data that a setup can carry either way. */
export const maximumPrivateDataBytes = 3840;
/** The longest URI. */
export const maximumUriBytes = 512;
const maximumTextBytes = 16 * 1024;
const maximumUris = 64;
const int32Minimum = -(2 ** 31);
const int32Maximum = 2 ** 31 - 1;

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `privateData` can travel with a setup. */
export function requirePrivateData(privateData: unknown): void {
  if (privateData === undefined) return;
  if (!(privateData instanceof Uint8Array)) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `privateData must be bytes, a Uint8Array or Buffer, not ${typeof privateData}: use Buffer.from(text)`,
    );
  }
  if (privateData.length > maximumPrivateDataBytes) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `privateData of ${privateData.length} bytes exceeds ${maximumPrivateDataBytes}: send it as a message`,
    );
  }
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `given`, the portals or services of a decision, are 1 to 64 URIs. */
export function requireUris(name: string, given: unknown): void {
  const fits =
    Array.isArray(given) &&
    given.length >= 1 &&
    given.length <= maximumUris &&
    given.every(
      (uri) => typeof uri === 'string' && uri.length <= maximumUriBytes && /^[a-z][a-z0-9+.-]*:\/\//i.test(uri),
    );
  if (fits) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `${name} must name 1 to ${maximumUris} URIs, as in shm://name or tcp://host:port, not ${JSON.stringify(given)}`,
    { details: { [name]: given } },
  );
}

/** The bytes of a setup record's data. */
export function writeSetupBody(body: SetupBody, privateData: Uint8Array | undefined): Buffer {
  const text = Buffer.from(JSON.stringify(body));
  if (text.length > maximumTextBytes) {
    throw new HeddleError(
      'ERR_HEDDLE_MESSAGE_TOO_LARGE',
      `a session setup of ${text.length} bytes exceeds maximumTextBytes=${maximumTextBytes}; name fewer portals or services`,
    );
  }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, privateData ?? Buffer.alloc(0)]);
}

/** The inverse of {@link writeSetupBody}. Throws `ERR_HEDDLE_MALFORMED` for anything that it could not have written. */
export function readSetupBody(data: Buffer): { body: SetupBody; privateData: Buffer } {
  const textBytes = data.length >= 4 ? data.readUInt32LE(0) : -1;
  if (textBytes < 0 || textBytes > maximumTextBytes || 4 + textBytes > data.length) {
    throw malformed(`its text of ${textBytes} bytes does not fit ${data.length} bytes`);
  }
  const privateData = Buffer.from(data.subarray(4 + textBytes));
  if (privateData.length > maximumPrivateDataBytes) {
    throw malformed(`private data of ${privateData.length} bytes exceeds ${maximumPrivateDataBytes}`);
  }
  let fields: unknown;
  try {
    fields = JSON.parse(data.toString('utf8', 4, 4 + textBytes));
  } catch (cause) {
    throw malformed('its text is not JSON', cause);
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw malformed('its text is no object');
  const source = fields as Record<string, unknown>;
  return {
    privateData,
    body: {
      sessionId: requiredText(source, 'sessionId', 64),
      token: text(source, 'token', 128),
      uri: text(source, 'uri', maximumUriBytes),
      context: text(source, 'context', 64),
      index: integer(source, 'index', 0, 1_000_000),
      connectionId: integer(source, 'connectionId', 0, int32Maximum),
      peerConnectionId: integer(source, 'peerConnectionId', 0, int32Maximum),
      receiveDepthMessages: integer(source, 'receiveDepthMessages', 1, 1_000_000),
      receiveDepthBytes: integer(source, 'receiveDepthBytes', 1, 2 ** 30),
      initialSerial: integer(source, 'initialSerial', int32Minimum, int32Maximum),
      resumable: flag(source, 'resumable'),
      codec: text(source, 'codec', 64),
      expectedSerial: integer(source, 'expectedSerial', int32Minimum, int32Maximum),
      released: counters(source),
      portals: uris(source, 'portals'),
      services: uris(source, 'services'),
      reason: text(source, 'reason', 1024),
    },
  };
}

/** The value of a field that the record's kind cannot do without. */
export function required<Name extends keyof SetupBody>(body: SetupBody, name: Name): NonNullable<SetupBody[Name]> {
  const value = body[name];
  if (value === undefined) throw malformed(`${name} is missing`);
  return value as NonNullable<SetupBody[Name]>;
}

function malformed(what: string, cause?: unknown): HeddleError {
  return new HeddleError('ERR_HEDDLE_MALFORMED', `a setup record from the peer is malformed: ${what}`, { cause });
}

function requiredText(source: Record<string, unknown>, name: string, longest: number): string {
  const value = text(source, name, longest);
  if (value === undefined || value === '') throw malformed(`${name} is missing`);
  return value;
}

function text(source: Record<string, unknown>, name: string, longest: number): string | undefined {
  const value = source[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > longest) throw malformed(`${name} is no text of up to ${longest}`);
  return value;
}

function integer(source: Record<string, unknown>, name: string, minimum: number, maximum: number): number | undefined {
  const value = source[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw malformed(`${name} is no integer from ${minimum} to ${maximum}`);
  }
  return value;
}

function flag(source: Record<string, unknown>, name: string): boolean | undefined {
  const value = source[name];
  if (value !== undefined && typeof value !== 'boolean') throw malformed(`${name} is neither true nor false`);
  return value;
}

function counters(source: Record<string, unknown>): readonly number[] | undefined {
  const value = source.released;
  if (value === undefined) return undefined;
  if (
    !Array.isArray(value) ||
    value.length !== 4 ||
    !value.every((one) => Number.isInteger(one) && (one | 0) === one)
  ) {
    throw malformed('released is not four 32-bit integers');
  }
  return value as number[];
}

function uris(source: Record<string, unknown>, name: string): readonly string[] | undefined {
  const value = source[name];
  if (value === undefined) return undefined;
  const fits =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= maximumUris &&
    value.every((one) => typeof one === 'string' && one.length <= maximumUriBytes);
  if (!fits) throw malformed(`${name} is no list of 1 to ${maximumUris} URIs`);
  return value as string[];
}
