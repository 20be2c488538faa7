import type { SharedBuffer, SharedBufferDescriptor } from '../../../src/runtime/memory/shared-buffer.js';
import type { SlabPool } from '../../../src/runtime/memory/slab-pool.js';

/** Takes over what another pool moved here, as a link does with the descriptor's parts. */
export function adoptDescriptor(pool: SlabPool, descriptor: SharedBufferDescriptor): SharedBuffer {
  const { slabId, memory, slot, handle, byteOffset, lengthBytes } = descriptor;
  return pool.adopt(slabId, memory, slot, handle, byteOffset, lengthBytes);
}
