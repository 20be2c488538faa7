import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { HeddleError } from '../../errors.js';

/** How long `taskset` may take. */
const tasksetTimeoutMs = 5000;

/** The operating system's id of the calling thread, on Linux. */
export function currentOsThreadId(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // The link reads `<process id>/task/<thread id>`. A synchronous call: it has to run on this very thread.
    const threadId = Number(readlinkSync('/proc/thread-self').split('/')[2]);
    return Number.isInteger(threadId) ? threadId : undefined;
  } catch {
    return undefined;
  }
}

function notHonoured(cpu: number, why: string, cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CPU_NOT_HONOURED',
    `the thread runs, but on any CPU instead of cpu=${cpu}: ${why}`,
    { cause, details: { cpu } },
  );
}

/**
 * Binds a thread of this process to one CPU. Node.js has no call for that, so `taskset` (util-linux) does it.
 * Resolves to undefined once it is done, or to the reason why it could not be done; never rejects.
 */
export function bindThreadToCpu(osThreadId: number | undefined, cpu: number): Promise<HeddleError | undefined> {
  if (osThreadId === undefined) {
    return Promise.resolve(notHonoured(cpu, `threads can be bound on Linux only: platform=${process.platform}`));
  }
  return new Promise((resolve) => {
    const parameters = ['-p', '-c', String(cpu), String(osThreadId)];
    execFile('taskset', parameters, { timeout: tasksetTimeoutMs }, (error, _output, complaint) => {
      if (error === null) resolve(undefined);
      else if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        resolve(notHonoured(cpu, 'there is no taskset command; install util-linux', error));
      } else resolve(notHonoured(cpu, complaint.trim() || error.message, error));
    });
  });
}
