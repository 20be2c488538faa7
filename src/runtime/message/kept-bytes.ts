import { copyBytes } from '../../transports/copy-bytes.js';
import { alignedRecordBytes, MemoryBlock } from '../../transports/record.js';

/** As much as Buffer's own pool has: what is kept of it keeps all of it. */
const poolBytes = 8192;
/** From this length on a copy has memory of its own. */
const longBytes = poolBytes >> 1;
/** Up to this length word by word: two views of the bytes, for `set`, take longer than the copy. */
const fewWords = 32;

let pool = new ArrayBuffer(poolBytes);
let usedBytes = 0;

function allocate(lengthBytes: number): MemoryBlock {
  const alignedBytes = alignedRecordBytes(lengthBytes);
  if (alignedBytes >= longBytes) return new MemoryBlock(new ArrayBuffer(alignedBytes));
  if (usedBytes + alignedBytes > poolBytes) {
    pool = new ArrayBuffer(poolBytes);
    usedBytes = 0;
  }
  const block = new MemoryBlock(pool, usedBytes, alignedBytes);
  usedBytes += alignedBytes;
  return block;
}

/** A block of its own for the bytes from `start` to `end` of another one, which is used for other records next. */
export function copyOfBlock(block: MemoryBlock, start: number, end: number): MemoryBlock {
  const lengthBytes = end - start;
  const copy = allocate(lengthBytes);
  const words = lengthBytes >> 2;
  if (words > fewWords || (start & 3) !== 0) {
    copyBytes(copy.bytes, 0, block.view(start, end));
    return copy;
  }
  const source = block.int32;
  const target = copy.int32;
  const first = start >> 2;
  for (let word = 0; word < words; word++) target[word] = source[first + word]!;
  for (let byte = words << 2; byte < lengthBytes; byte++) copy.bytes[byte] = block.bytes[start + byte]!;
  return copy;
}
