import { HeddleError } from '../../errors.js';
import { maximumNodeIdLength } from '../actors/ref.js';
import { firstRemotePlace } from '../actors/remote-places.js';
import { maximumPrivateDataBytes, maximumUriBytes } from '../session/setup-body.js';
import { clusterVersion, nonceBytes, type Party } from './proof.js';

/** What each side says of itself when a connection between nodes is set up: in the session's private data, as JSON. */
export interface Introduction extends Party {
  /** Whether it knows a secret: only for the message to people when the two sides differ. */
  readonly hasSecret: boolean;
}

/** A context of a node, as it tells others. */
export interface ContextDescription {
  readonly place: number;
  readonly name: string;
  /** Where it listens; empty when it does not. */
  readonly portal: string;
}

/** A node, as it tells others once both sides have proved the secret. */
export interface NodeDescription {
  readonly node: string;
  readonly contexts: readonly ContextDescription[];
  /** The address of the actor in its main context that serves other nodes. */
  readonly receptionist: { readonly slot: number; readonly generation: number };
}

const maximumNameLength = 255;
const maximumDescriptionBytes = 1024 * 1024;

export function writeIntroduction({ node, place, nonce, hasSecret }: Introduction): Buffer {
  const fields = { version: clusterVersion, node, place, nonce: Buffer.from(nonce).toString('hex'), hasSecret };
  return Buffer.from(JSON.stringify(fields));
}

/** The inverse of {@link writeIntroduction}. Throws `ERR_HEDDLE_PROTOCOL`, and `ERR_HEDDLE_VERSION`. */
export function readIntroduction(bytes: Uint8Array): Introduction {
  const { version, node, place, nonce, hasSecret } = readObject(bytes, maximumPrivateDataBytes);
  if (!Number.isInteger(version)) throw malformed('introduction');
  if (version !== clusterVersion) {
    throw new HeddleError(
      'ERR_HEDDLE_VERSION',
      `the other node speaks another version of the cluster's protocol: version=${clusterVersion} peerVersion=${version}`,
      { details: { version: clusterVersion, peerVersion: version } },
    );
  }
  if (
    !isText(node, 1, maximumNodeIdLength) ||
    !isPlace(place) ||
    !isText(nonce, 2 * nonceBytes, 2 * nonceBytes) ||
    !/^[0-9a-f]*$/.test(nonce) ||
    typeof hasSecret !== 'boolean'
  ) {
    throw malformed('introduction');
  }
  return { node, place, nonce: Buffer.from(nonce, 'hex'), hasSecret };
}

export function writeDescription(description: NodeDescription): Buffer {
  return Buffer.from(JSON.stringify(description));
}

/** The inverse of {@link writeDescription}. Throws `ERR_HEDDLE_PROTOCOL`. */
export function readDescription(bytes: Uint8Array): NodeDescription {
  return checkDescription(readObject(bytes, maximumDescriptionBytes));
}

/** Checks a description that came as a value. Throws `ERR_HEDDLE_PROTOCOL`. */
export function checkDescription(value: unknown): NodeDescription {
  const { node, contexts, receptionist } = (value ?? {}) as Record<string, unknown>;
  const { slot, generation } = (receptionist ?? {}) as Record<string, unknown>;
  if (
    !isText(node, 1, maximumNodeIdLength) ||
    !Array.isArray(contexts) ||
    contexts.length === 0 ||
    contexts.length > firstRemotePlace ||
    !isCount(slot) ||
    !isCount(generation)
  ) {
    throw malformed('description');
  }
  return { node, contexts: contexts.map(readContext), receptionist: { slot, generation } };
}

function readContext(value: unknown): ContextDescription {
  const { place, name, portal } = (value ?? {}) as Record<string, unknown>;
  if (!isPlace(place) || !isText(name, 1, maximumNameLength) || !isText(portal, 0, maximumUriBytes)) {
    throw malformed('description');
  }
  return { place, name, portal };
}

function readObject(bytes: Uint8Array, maximumBytes: number): Record<string, unknown> {
  try {
    if (bytes.length > maximumBytes) throw new Error(`it has ${bytes.length} bytes`);
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw malformed('introduction', cause);
  }
  throw malformed('introduction');
}

function isText(value: unknown, shortest: number, longest: number): value is string {
  return typeof value === 'string' && value.length >= shortest && value.length <= longest;
}

function isPlace(value: unknown): value is number {
  return isCount(value) && value < firstRemotePlace;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}

function malformed(what: string, cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_PROTOCOL',
    `the ${what} of the other node is malformed: is it an actor system that listens there, of a fitting version?`,
    { cause },
  );
}
