import type { Clock } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { RegionMemory } from '../memory/region-memory.js';
import { RegionOperation } from '../memory/region-memory.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import { cancelledError, type RegionTask } from './remote-region.js';

/** Bytes that are copied at a time: the thread's other work goes on between two pieces. About a millisecond each. */
const pieceBytes = 4 * 1024 * 1024;

/**
 * Carries out an operation on memory that this thread reaches itself: the owner's thread has no part in it. Long copies
 * are made in pieces, in turns of the event loop, each of which begins only if the region still lives: `memory` throws the coded
 * error of one that does not.
 */
export async function runOnMemory(
  memory: () => RegionMemory,
  task: RegionTask,
  timeoutMs: number,
  { clock, statistics }: { readonly clock: Clock; readonly statistics: StatisticsBlock },
): Promise<bigint> {
  const { code, offset, lengthBytes, signal } = task;
  if (code !== RegionOperation.read && code !== RegionOperation.write) {
    return memory().change(code, offset, task.operand, task.expected);
  }
  const bytes = task.bytes as Uint8Array;
  const deadlineMicros = clock.nowMicros() + timeoutMs * 1000;
  for (let done = 0; ; ) {
    const { bytes: region } = memory();
    const end = Math.min(done + pieceBytes, lengthBytes);
    if (code === RegionOperation.write) region.set(bytes.subarray(done, end), offset + done);
    else bytes.set(region.subarray(offset + done, offset + end), done);
    done = end;
    if (done >= lengthBytes) break;
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw cancelledError(signal.reason);
    if (clock.nowMicros() >= deadlineMicros) {
      throw new HeddleError(
        'ERR_HEDDLE_TIMEOUT',
        `the operation on the region was not done within timeoutMs=${timeoutMs}: done=${done} of ${lengthBytes} bytes`,
      );
    }
  }
  statistics.add(code === RegionOperation.write ? 'regionBytesWritten' : 'regionBytesRead', lengthBytes);
  return 0n;
}
