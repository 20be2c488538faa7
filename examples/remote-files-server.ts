import { rmSync } from 'node:fs';
import { type FileHandle, mkdtemp, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { Connection, Context, ContextMain, Message } from 'heddle';

/** What a client asks for by a value. A block to write is a buffer, with its file and offset in the header. */
export type FileCall =
  | { readonly name: 'open'; readonly path: string; readonly flags: 'r' | 'r+' | 'w+' }
  | { readonly name: 'fstat' | 'close'; readonly file: number }
  | { readonly name: 'read'; readonly file: number; readonly offset: number; readonly length: number };

export interface FileStatus {
  readonly size: number;
  readonly modifiedMs: number;
}

const maximumReadBytes = 1024 * 1024;
const maximumOpenFiles = 64;

/** The files that one client has open. They are closed with its connection. */
class OpenFiles {
  readonly #handles = new Map<number, FileHandle>();
  #next = 1;

  async open(path: string, flags: string): Promise<number> {
    if (this.#handles.size >= maximumOpenFiles) throw new Error(`${maximumOpenFiles} files are open: close some first`);
    const handle = await open(path, flags);
    this.#handles.set(this.#next, handle);
    return this.#next++;
  }

  get(file: number): FileHandle {
    const handle = this.#handles.get(file);
    if (handle === undefined) throw new Error(`file ${file} is not open`);
    return handle;
  }

  async close(file: number): Promise<void> {
    const handle = this.get(file);
    this.#handles.delete(file);
    await handle.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#handles.keys()].map((file) => this.close(file)));
  }
}

class FileService {
  readonly #context: Context;
  readonly #folder: string;
  readonly #clients = new Map<Connection, OpenFiles>();

  constructor(context: Context, folder: string) {
    this.#context = context;
    this.#folder = folder;
  }

  /** Answers later, when the operation is done: handlers do not wait for each other, so many are under way. */
  async onRequest(message: Message, connection: Connection): Promise<unknown> {
    const files = this.#filesOf(connection);
    if (message.header.length > 0) return this.#write(files, message);
    const call = message.value as FileCall;
    switch (call.name) {
      case 'open':
        return files.open(this.#inside(call.path), call.flags);
      case 'fstat': {
        const { size, mtimeMs } = await files.get(call.file).stat();
        return { size, modifiedMs: mtimeMs } satisfies FileStatus;
      }
      case 'read':
        return this.#read(files.get(call.file), call.offset, call.length);
      case 'close':
        return files.close(call.file);
      default:
        throw new Error('no such operation');
    }
  }

  async onGone(connection: Connection): Promise<void> {
    const files = this.#clients.get(connection);
    this.#clients.delete(connection);
    await files?.closeAll();
  }

  #filesOf(connection: Connection): OpenFiles {
    let files = this.#clients.get(connection);
    if (files === undefined) {
      files = new OpenFiles();
      this.#clients.set(connection, files);
    }
    return files;
  }

  async #write(files: OpenFiles, message: Message): Promise<number> {
    const handle = files.get(message.header.readInt32LE(0));
    const offset = message.header.readDoubleLE(4);
    // The block is this context's now. It is written from where it lies.
    using block = message.takeBuffer();
    if (block === undefined) throw new Error('a block to write must be a SharedBuffer');
    const { bytesWritten } = await handle.write(block.bytes, 0, block.length, offset);
    return bytesWritten;
  }

  /** Reads into a buffer that then moves to the client: over shared memory nothing is copied on the way. */
  async #read(handle: FileHandle, offset: number, length: number): Promise<unknown> {
    if (!(length > 0 && length <= maximumReadBytes))
      throw new Error(`length=${length} is not in 1..${maximumReadBytes}`);
    const block = this.#context.allocate(length);
    try {
      const { bytesRead } = await handle.read(block.bytes, 0, length, offset);
      if (bytesRead === length) return block;
      const end = Buffer.from(block.bytes.subarray(0, bytesRead));
      block.release();
      return end;
    } catch (error) {
      block.release();
      throw error;
    }
  }

  #inside(path: string): string {
    const full = resolve(this.#folder, path);
    if (relative(this.#folder, full).startsWith('..'))
      throw new Error(`${path} lies outside of the folder that is served`);
    return full;
  }
}

/** Serves a new folder at `uri`, and removes it in the end. Returns where it really listens. */
export default (async (context, uri) => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-files-'));
  const service = new FileService(context, folder);
  const server = await context.listen(uri, {
    onRequest: (message, connection) => service.onRequest(message, connection),
    onEvent: (event) => {
      if (event.type === 'connection-teardown') void service.onGone(event.connection);
    },
  });
  context.on('stopping', () => rmSync(folder, { recursive: true }));
  return server.uri;
}) satisfies ContextMain<string, string>;
