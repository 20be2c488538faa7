import type { Validators } from './heads.js';
import type { RequestHead } from './request-parser.js';

/** Whether the client has this version already, and wants to be told no more than that. */
export function isNotModified({ etag, lastModified }: Validators, request: RequestHead): boolean {
  const { ifNoneMatch, ifModifiedSince } = request;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch === etag || ifNoneMatch === '*') return true;
    return ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
  }
  if (ifModifiedSince === undefined) return false;
  // A text that is no date is NaN, and no time is before or after that.
  return Date.parse(lastModified) <= Date.parse(ifModifiedSince);
}

/** The bytes `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of the file that was asked for; undefined for all of it, which is also what several ranges and what is no
 * range of bytes get.
 */
export function rangeOf(
  { etag, lastModified, lengthBytes }: Validators & { readonly lengthBytes: number },
  { method, range, ifRange }: RequestHead,
): ByteRange | 'unsatisfiable' | undefined {
  if (range === undefined || method !== 'GET') return undefined;
  if (ifRange !== undefined && ifRange !== etag && ifRange !== lastModified) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(range);
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return undefined;
    const start = Math.max(0, lengthBytes - Number(last));
    return start < lengthBytes ? { start, end: lengthBytes } : 'unsatisfiable';
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= lengthBytes) return 'unsatisfiable';
  return { start, end: last === '' ? lengthBytes : Math.min(lengthBytes, Number(last) + 1) };
}
