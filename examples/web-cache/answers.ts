import { type Body, ObjectPart, Text, UncachedFile, WholeObject } from './bodies.js';
import { type CachedObject, etagOf, type FileVersion } from './cached-object.js';
import { isNotModified, rangeOf } from './conditions.js';
import { fileHead, notModifiedHead, statusAnswer } from './heads.js';
import type { Loader } from './loader.js';
import type { RequestHead } from './request-parser.js';

/** An answer that is no file. */
export function statusBody(status: number, request: RequestHead, fields: Readonly<Record<string, string>> = {}): Body {
  return new Text(statusAnswer(status, request, fields, request.method !== 'HEAD'));
}

/** The answer to a GET or HEAD of a cached object, from where it lies. `onCopy` hears of heads that had to be copied. */
export function objectBody(object: CachedObject, request: RequestHead, second: number, onCopy: () => void): Body {
  if (isNotModified(object, request)) return new Text(notModifiedHead(object, request));
  const range = rangeOf(object, request);
  if (range === 'unsatisfiable') return unsatisfiable(object.lengthBytes, request);
  if (range !== undefined) return new ObjectPart(object, fileHead(object, request, range), range.start, range.end);
  if (request.method === 'HEAD') return new Text(fileHead(object, request));
  if (request.keepAlive !== request.isHttp11) return new ObjectPart(object, fileHead(object, request));
  if (object.freshenHead(second)) return new WholeObject(object);
  // Someone is reading the head that would have to be altered.
  onCopy();
  return new ObjectPart(object, fileHead(object, request));
}

/** The same for a file that is not in the cache. */
export function fileBody(loader: Loader, version: FileVersion, request: RequestHead): Body {
  const { lengthBytes, modifiedMs } = version;
  const file = { ...version, etag: etagOf(version), lastModified: new Date(modifiedMs).toUTCString() };
  if (isNotModified(file, request)) return new Text(notModifiedHead(file, request));
  const range = rangeOf(file, request);
  if (range === 'unsatisfiable') return unsatisfiable(lengthBytes, request);
  const head = fileHead(file, request, range);
  if (request.method === 'HEAD') return new Text(head);
  return new UncachedFile(loader, version, head, range?.start ?? 0, range?.end ?? lengthBytes);
}

function unsatisfiable(lengthBytes: number, request: RequestHead): Body {
  return statusBody(416, request, { 'Content-Range': `bytes */${lengthBytes}` });
}
