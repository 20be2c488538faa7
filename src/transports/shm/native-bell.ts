import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The native part's bells: each wakes the event loop of the thread that opened it. See native/doorbell. */
export interface NativeBells {
  /** Opens a bell in this thread, and returns its number, above 0. It keeps no event loop alive, and ends with its thread. */
  open(onRing: () => void): number;
  /** Wakes the thread that opened the bell; nothing happens when the bell is closed, or its thread gone. */
  ring(bell: number): void;
  /** Closes a bell of this thread. */
  close(bell: number): void;
}

/** The package's folder, seen from dist/src/transports/shm. */
const libraryPath = fileURLToPath(new URL('../../../../native/build/Release/heddle_doorbell.node', import.meta.url));

/**
 * The native bells; undefined where the native part is not built, or does not load, or HEDDLE_NATIVE_DOORBELL is `0`: then
 * threads wake each other through message ports, which takes about twice as long. `heddle doctor` says which it is.
 */
export function loadNativeBells(): NativeBells | undefined {
  if (process.env.HEDDLE_NATIVE_DOORBELL === '0' || !existsSync(libraryPath)) return undefined;
  try {
    return createRequire(import.meta.url)(libraryPath) as NativeBells;
  } catch {
    return undefined;
  }
}
