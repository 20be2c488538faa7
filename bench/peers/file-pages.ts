/** Pages in a file: each is on disk when its write returns. Reads come from the page cache, or from the disk itself. */
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PagingLoad, type PagingOptions, pageBytes, pages } from '../harness/paging.js';
import type { Roles } from '../harness/role.js';

/** `cached` reads from the page cache; `direct` goes past it. */
export interface FileOptions extends PagingOptions {
  readonly reads: 'cached' | 'direct';
}

/** The system takes only memory at a multiple of 512 bytes for reads that go past the page cache: where that begins. */
async function alignedBuffer(file: FileHandle): Promise<Buffer> {
  const memory = Buffer.alloc(pageBytes * 2);
  for (let start = 0; start < pageBytes; start += 8) {
    const bytes = memory.subarray(start, start + pageBytes);
    try {
      await file.read(bytes, 0, pageBytes, 0);
      return bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    }
  }
  throw new Error('no memory was aligned well enough for reads past the page cache');
}

function side(options: FileOptions) {
  let folder: string;
  let file: FileHandle;
  let direct: FileHandle | undefined;
  let load: PagingLoad;
  return {
    setup: async () => {
      folder = await mkdtemp(join(tmpdir(), 'file-pages-'));
      const path = join(folder, 'pages');
      file = await open(path, 'w+');
      await file.truncate(pages * pageBytes);
      let isFilling = true;
      let aligned: Buffer | undefined;
      load = new PagingLoad({
        pageOut: async (page, bytes) => {
          await file.write(bytes, 0, pageBytes, page * pageBytes);
          if (!isFilling) await file.datasync();
        },
        pageIn: async (page, target) => {
          const from = direct ?? file;
          const bytes = aligned ?? target;
          await from.read(bytes, 0, pageBytes, page * pageBytes);
          if (aligned !== undefined) target.set(aligned);
        },
      });
      // Four thousand times the disk's own time would be a minute: the pages of the start go there together.
      await load.fill();
      await file.datasync();
      isFilling = false;
      if (options.reads === 'direct') {
        direct = await open(path, constants.O_RDONLY | constants.O_DIRECT);
        aligned = await alignedBuffer(direct);
      }
    },
    run: (budgetMs: number) => load.run(budgetMs, options),
    teardown: async () => {
      await file.close();
      await direct?.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const roles: Roles = { side };
