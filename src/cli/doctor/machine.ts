import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';

/** Size and free space of a file system, in bytes. */
export interface FileSystemSpace {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

/** What the doctor asks the machine for; a test gives another one. */
export interface Machine {
  /** As in `process.version`, without the `v`. */
  readonly nodeVersion: string;
  readonly platform: string;
  readonly architecture: string;
  readonly littleEndian: boolean;
  /** Cores that this process may run on. */
  readonly availableCores: number;
  readonly totalMemoryBytes: number;
  readonly freeMemoryBytes: number;
  /** The text of a file; undefined when there is none or it may not be read. */
  readTextFile(path: string): string | undefined;
  /** The space of the file system at `path`; undefined when there is none. */
  space(path: string): FileSystemSpace | undefined;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  nodeVersion: process.versions.node,
  platform: process.platform,
  architecture: process.arch,
  littleEndian: os.endianness() === 'LE',
  availableCores: os.availableParallelism(),
  totalMemoryBytes: os.totalmem(),
  freeMemoryBytes: os.freemem(),
  readTextFile(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  space(path) {
    try {
      const { bsize, blocks, bavail } = statfsSync(path);
      return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail };
    } catch {
      return undefined;
    }
  },
};
