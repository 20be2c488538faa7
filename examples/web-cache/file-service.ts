import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type ActorContext, defineActor, Refusal, type SharedBuffer } from 'heddle';
import type { FileVersion } from './cached-object.js';
import { contentTypeOf } from './content-types.js';

/** What a path of the site leads to. */
export type Finding =
  | { readonly kind: 'file'; readonly version: FileVersion }
  | { readonly kind: 'folder' }
  | { readonly kind: 'missing' };

/** A piece of a file as it was when `version` was found. */
export interface PieceRequest {
  readonly version: FileVersion;
  readonly offset: number;
  readonly lengthBytes: number;
}

const missing: Finding = { kind: 'missing' };
const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES', 'EPERM', 'ELOOP']);

/**
 * Reads the site's files, on a context of its own: whatever the disk takes, it takes from nobody else. It keeps nothing
 * open between two messages, so that there is nothing to clean up when it or who asks it dies.
 */
export const FileService = defineActor(import.meta.url, {
  name: 'file-service',
  state: async (args: { folder: string }) => ({ root: await realpath(args.folder) }),
  isReentrant: true,
  handlers: {
    /** What `path` leads to; what lies outside of the folder, by a link say, is missing. */
    async find({ root }, path: string): Promise<Finding> {
      try {
        const file = await realpath(join(root, path.endsWith('/') ? `${path}index.html` : path));
        if (file !== root && !file.startsWith(root + sep)) return missing;
        const status = await stat(file);
        if (status.isDirectory()) return { kind: 'folder' };
        if (!status.isFile()) return missing;
        const { size: lengthBytes, mtimeMs: modifiedMs } = status;
        return { kind: 'file', version: { file, lengthBytes, modifiedMs, contentType: contentTypeOf(file) } };
      } catch (error) {
        if (missingCodes.has((error as NodeJS.ErrnoException).code ?? '')) return missing;
        throw new Refusal(`the file cannot be looked at: ${String(error)}`);
      }
    },

    /** Bytes of a file, in memory that moves to who asked; refused when it is another version by now. */
    async read({ root }, { version, offset, lengthBytes }: PieceRequest, actor: ActorContext): Promise<SharedBuffer> {
      const { file } = version;
      if (!file.startsWith(root + sep)) throw new Refusal('not a file of the site');
      // What has become a link since it was found is not followed.
      const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
        throw new Refusal(`the file cannot be opened: ${String(error)}`);
      });
      try {
        const buffer = actor.allocate(lengthBytes);
        try {
          await fill(buffer.bytes, handle, version, offset);
        } catch (error) {
          buffer.release();
          throw error;
        }
        return buffer;
      } finally {
        await handle.close();
      }
    },
  },
});

/** Reads all of `bytes`, from `offset` on. Refused when the file is not that version. */
async function fill(bytes: Buffer, handle: FileHandle, version: FileVersion, offset: number): Promise<void> {
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  const { size, mtimeMs } = await handle.stat();
  if (length < bytes.length || size !== version.lengthBytes || mtimeMs !== version.modifiedMs) {
    throw new Refusal('the file has changed');
  }
}
