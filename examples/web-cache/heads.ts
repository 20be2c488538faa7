import { STATUS_CODES } from 'node:http';

const serverName = 'heddle-web-cache';
const firstLine = 'HTTP/1.1 200 OK\r\nDate: ';
/** Where the date stands in the head of a prebuilt answer, and how long it is: always the same. */
export const dateOffset = firstLine.length;
export const dateBytes = 29;

let dateSecond = -1;
let dateText = '';

/** The time as HTTP writes it, made once in a second. */
export function httpDate(second = Math.trunc(Date.now() / 1000)): string {
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** What the heads of all answers about one version of a file have in common. */
export interface Validators {
  readonly etag: string;
  readonly lastModified: string;
}

function connectionField(keepAlive: boolean, isHttp11: boolean): string {
  if (keepAlive === isHttp11) return '';
  return `Connection: ${keepAlive ? 'keep-alive' : 'close'}\r\n`;
}

/** How an answer ends or keeps the connection: an object of this form says what its client was told. */
export interface Persistence {
  readonly keepAlive: boolean;
  readonly isHttp11: boolean;
}

/** The head of an answer with the file, or with a part of it, as text. */
export function fileHead(
  file: Validators & { readonly contentType: string; readonly lengthBytes: number },
  { keepAlive, isHttp11 }: Persistence,
  part?: { readonly start: number; readonly end: number },
): string {
  const { contentType, lengthBytes, etag, lastModified } = file;
  const status = part === undefined ? firstLine : `HTTP/1.1 206 Partial Content\r\nDate: `;
  const range = part === undefined ? '' : `Content-Range: bytes ${part.start}-${part.end - 1}/${lengthBytes}\r\n`;
  return (
    `${status}${httpDate()}\r\nServer: ${serverName}\r\nContent-Type: ${contentType}\r\n` +
    `Content-Length: ${part === undefined ? lengthBytes : part.end - part.start}\r\n${range}` +
    `Last-Modified: ${lastModified}\r\nETag: ${etag}\r\nAccept-Ranges: bytes\r\n` +
    `${connectionField(keepAlive, isHttp11)}\r\n`
  );
}

/** The client has this version already. */
export function notModifiedHead({ etag, lastModified }: Validators, { keepAlive, isHttp11 }: Persistence): string {
  return (
    `HTTP/1.1 304 Not Modified\r\nDate: ${httpDate()}\r\nServer: ${serverName}\r\n` +
    `Last-Modified: ${lastModified}\r\nETag: ${etag}\r\n${connectionField(keepAlive, isHttp11)}\r\n`
  );
}

/** Any other answer: a status, and a page of one line that says it; without the page for HEAD. */
export function statusAnswer(
  status: number,
  { keepAlive, isHttp11 }: Persistence,
  fields: Readonly<Record<string, string>> = {},
  withBody = true,
): string {
  const reason = STATUS_CODES[status] ?? 'Unknown';
  const body = `${status} ${reason}\n`;
  const others = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `HTTP/1.1 ${status} ${reason}\r\nDate: ${httpDate()}\r\nServer: ${serverName}\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n${others.join('')}` +
    `${connectionField(keepAlive, isHttp11)}\r\n${withBody ? body : ''}`
  );
}
