import { constants, type Stats } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { contentTypeOf } from '../web-cache/content-types.js';
import { isHidden, pathOfTarget } from '../web-cache/request-target.js';
import type { Answer, Bucket, Fields, HttpRequest, Module, Worker } from './hooks.js';

const roots = new WeakMap<Worker, string>();
const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES', 'EPERM', 'ELOOP']);

/** Answers with the files below a folder, and with lists of what is in its folders: `["a.js","sub/"]`. */
export const filesModule: Module = {
  name: 'files',

  async childInit(worker) {
    roots.set(worker, await realpath(worker.config.folder));
  },

  async handle(request) {
    if (request.method !== 'GET' && request.method !== 'HEAD') return textAnswer(request, 405, { allow: 'GET, HEAD' });
    const path = pathOfTarget(request.target);
    if (path === undefined) return textAnswer(request, 400);
    if (isHidden(path)) return textAnswer(request, 404);
    const root = roots.get(request.connection.worker)!;
    let found: string;
    let status: Stats;
    try {
      found = await realpath(join(root, path));
      status = await stat(found);
    } catch (error) {
      if (missingCodes.has((error as NodeJS.ErrnoException).code ?? '')) return textAnswer(request, 404);
      throw error;
    }
    if (found !== root && !found.startsWith(root + sep)) return textAnswer(request, 404);
    if (status.isDirectory()) {
      if (path.endsWith('/')) return listAnswer(request, found);
      return textAnswer(request, 301, { location: `${encodeURI(path)}/` });
    }
    return status.isFile() ? fileAnswer(found, status) : textAnswer(request, 404);
  },
};

function fileAnswer(path: string, { size, mtime }: Stats): Answer {
  const fields = {
    'content-type': contentTypeOf(path),
    'content-length': String(size),
    'last-modified': mtime.toUTCString(),
  };
  return { status: 200, fields, body: fileBody(path, size) };
}

async function* fileBody(path: string, lengthBytes: number): AsyncGenerator<Bucket> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (lengthBytes > 0) yield { kind: 'file', file, offset: 0, lengthBytes };
  } finally {
    await file.close();
  }
}

async function listAnswer(request: HttpRequest, folder: string): Promise<Answer> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || entry.isFile()))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  return heapAnswer(request, 200, JSON.stringify(names.sort()), { 'content-type': 'application/json' });
}

function textAnswer(request: HttpRequest, status: number, fields: Fields = {}): Answer {
  return heapAnswer(request, status, `${status}\n`, { 'content-type': 'text/plain; charset=utf-8', ...fields });
}

/** An answer made in memory. */
export function heapAnswer(request: HttpRequest, status: number, text: string, fields: Fields): Answer {
  const lengthBytes = Buffer.byteLength(text);
  const { context } = request.connection.worker;
  async function* body(): AsyncGenerator<Bucket> {
    const buffer = context.allocate(lengthBytes);
    buffer.bytes.write(text);
    yield { kind: 'heap', buffer };
  }
  return { status, fields: { ...fields, 'content-length': String(lengthBytes) }, body: body() };
}
