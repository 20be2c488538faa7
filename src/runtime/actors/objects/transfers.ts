import { HeddleError } from '../../../errors.js';
import { carryByCodec } from '../buffers.js';
import type { ActorHost } from '../host.js';
import { proxyHandler, type WireValue } from './wire-values.js';

/*
 * comlink's transfer lists: who sends an ArrayBuffer by one has it no more, and who gets it has it alone. Contexts have no
 * memory in common but SharedBuffers, so between them the bytes are copied all the same; what holds everywhere is that the
 * sender's ArrayBuffer is detached, and that neither side sees what the other one writes.
 */

/** The ArrayBuffers in a transfer list of comlink's. */
function arrayBuffersOf(transferables: readonly unknown[] | undefined): readonly ArrayBuffer[] {
  if (transferables === undefined || transferables.length === 0) return [];
  return transferables.filter((item): item is ArrayBuffer => item instanceof ArrayBuffer);
}

/**
 * The values as they are to be sent: apart from those here, whose ArrayBuffers in the transfer list are detached. Throws
 * `ERR_HEDDLE_CODEC` for what can be neither sent nor transferred, before anything is detached.
 */
export function transferAll(
  host: ActorHost,
  wires: readonly WireValue[],
  transferables: readonly unknown[] | undefined,
): readonly WireValue[] {
  const buffers = arrayBuffersOf(transferables);
  if (buffers.length === 0) return wires;
  const remakers = wires.map((wire) => remakerOf(host, wire, buffers));
  const moved = new Map<unknown, ArrayBuffer>();
  for (const buffer of buffers) if (!moved.has(buffer)) moved.set(buffer, detach(buffer));
  return wires.map((wire, i) => ({ ...wire, value: remakers[i]!(moved) }));
}

/** How to make the value anew, over the memory of what is detached by then where that is all there is to it. */
function remakerOf(
  host: ActorHost,
  { name, value }: WireValue,
  buffers: readonly ArrayBuffer[],
): (moved: ReadonlyMap<unknown, ArrayBuffer>) => unknown {
  if (name === proxyHandler) return () => value;
  if (buffers.includes(value as ArrayBuffer)) return (moved) => moved.get(value);
  if (ArrayBuffer.isView(value) && buffers.includes(value.buffer as ArrayBuffer)) return viewRemaker(value);
  const copy = carryByCodec(host, host.codec, value);
  return () => copy;
}

function viewRemaker(view: ArrayBufferView): (moved: ReadonlyMap<unknown, ArrayBuffer>) => unknown {
  const { buffer, byteOffset, byteLength } = view;
  if (Buffer.isBuffer(view)) return (moved) => Buffer.from(moved.get(buffer) as ArrayBuffer, byteOffset, byteLength);
  const length = 'length' in view ? (view.length as number) : byteLength;
  const View = view.constructor as new (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;
  return (moved) => new View(moved.get(buffer) as ArrayBuffer, byteOffset, length);
}

/** The memory of an ArrayBuffer, which is empty from now on. */
function detach(buffer: ArrayBuffer): ArrayBuffer {
  let cause: unknown;
  try {
    // Throws for one that is detached already, which Node.js 20 transfers once more.
    void new Uint8Array(buffer);
    const moved = structuredClone(buffer, { transfer: [buffer] });
    // Node.js 20 copies what is marked as not to be transferred.
    if (buffer.byteLength === 0) return moved;
  } catch (error) {
    cause = error;
  }
  throw new HeddleError(
    'ERR_HEDDLE_CODEC',
    'an ArrayBuffer in a transfer list cannot be transferred: it was before, or others have parts of it, as Buffers of ' +
      'Node.js have of one pool. Send a copy without a transfer list',
    { cause },
  );
}
