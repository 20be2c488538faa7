/** What {@link RequestParser.parse} returns when the head of the request has not fully arrived. */
export const incomplete = -1;
/** What it returns for what cannot be answered otherwise: `status` says with what, and the connection ends after it. */
export const refused = -2;

/** Limits of a request's head. */
export interface HeadLimits {
  readonly maximumHeadBytes: number;
  readonly maximumTargetBytes: number;
  readonly maximumFields: number;
}

/** What a request asks for, as far as a server of files minds. */
export interface RequestHead {
  readonly method: string;
  /** As it was written, without a scheme and host before it. */
  readonly target: string;
  readonly isHttp11: boolean;
  /** Whether the client wants the connection to stay. */
  readonly keepAlive: boolean;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

const requestLine = /^([!#$%&'*+\-.^_`|~\w]+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
/** A field line: a token, a colon without space before it, a value without control characters. No continuation lines. */
const fieldLine =
  /([!#$%&'*+\-.^_`|~\w]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\r\n/y;
const lineFeed = 10;
const carriageReturn = 13;

/**
 * Reads the heads of HTTP/1.0 and 1.1 requests that have no body. Strict where leniency has let requests be smuggled:
 * lines end in CRLF, no folded lines, one Host, one length, none beside a transfer coding. One parser serves a server:
 * its fields hold until the next call.
 */
export class RequestParser implements RequestHead {
  method = '';
  target = '';
  isHttp11 = true;
  keepAlive = true;
  ifNoneMatch: string | undefined;
  ifModifiedSince: string | undefined;
  range: string | undefined;
  ifRange: string | undefined;
  /** After `refused`: the status of the answer. */
  status = 0;
  readonly #limits: HeadLimits;
  #hosts = 0;
  #contentLength: string | undefined;
  #hasTransferCoding = false;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Reads the request at `start`, and returns where it ends; {@link incomplete} or {@link refused} else. */
  parse(bytes: Buffer, start: number): number {
    let from = start;
    // Old clients send an empty line behind a request.
    while (bytes[from] === carriageReturn && bytes[from + 1] === lineFeed) from += 2;
    const headEnd = bytes.indexOf('\r\n\r\n', from, 'latin1');
    if (headEnd < 0) return this.#checkIncomplete(bytes, from);
    if (headEnd - from > this.#limits.maximumHeadBytes) return this.#refuse(431);
    const text = bytes.toString('latin1', from, headEnd + 2);
    const lineEnd = text.indexOf('\r\n');
    if (!this.#readRequestLine(text.slice(0, lineEnd))) return refused;
    if (!this.#readFields(text, lineEnd + 2)) return refused;
    if (!this.#checkBody()) return refused;
    return headEnd + 4;
  }

  /** The request as it was read, to be kept. */
  snapshot(): RequestHead {
    const { method, target, isHttp11, keepAlive, ifNoneMatch, ifModifiedSince, range, ifRange } = this;
    return { method, target, isHttp11, keepAlive, ifNoneMatch, ifModifiedSince, range, ifRange };
  }

  #refuse(status: number): typeof refused {
    this.status = status;
    this.keepAlive = false;
    return refused;
  }

  /** What is there already may be too much, or no HTTP. */
  #checkIncomplete(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(lineFeed, from);
    if (end >= 0 ? end === from || bytes[end - 1] !== carriageReturn : false) return this.#refuse(400);
    const lineBytes = (end < 0 ? bytes.length : end) - from;
    if (lineBytes > this.#limits.maximumTargetBytes + 32) return this.#refuse(414);
    if (bytes.length - from > this.#limits.maximumHeadBytes) return this.#refuse(431);
    return incomplete;
  }

  #readRequestLine(line: string): boolean {
    const match = requestLine.exec(line);
    this.method = '';
    if (match === null) return this.#refuse(400) > 0;
    this.method = match[1]!;
    const target = match[2]!;
    if (target.length > this.#limits.maximumTargetBytes) return this.#refuse(414) > 0;
    if (match[3] !== '1') return this.#refuse(505) > 0;
    this.isHttp11 = match[4] !== '0';
    this.target = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*(?=[/?]|$)/i, '') || '/';
    return true;
  }

  #readFields(text: string, start: number): boolean {
    this.keepAlive = this.isHttp11;
    this.ifNoneMatch = undefined;
    this.ifModifiedSince = undefined;
    this.range = undefined;
    this.ifRange = undefined;
    this.#hosts = 0;
    this.#contentLength = undefined;
    this.#hasTransferCoding = false;
    let fields = 0;
    let at = start;
    while (at < text.length) {
      fieldLine.lastIndex = at;
      const match = fieldLine.exec(text);
      if (match === null) return this.#refuse(400) > 0;
      if (++fields > this.#limits.maximumFields) return this.#refuse(431) > 0;
      if (!this.#readField(match[1]!.toLowerCase(), match[2]!)) return this.#refuse(400) > 0;
      at = fieldLine.lastIndex;
    }
    return this.#hosts === 1 || (this.#hosts === 0 && !this.isHttp11) || this.#refuse(400) > 0;
  }

  /** False when the request is malformed. */
  #readField(name: string, value: string): boolean {
    switch (name) {
      case 'host':
        this.#hosts++;
        return /^[\w.\-:[\]%~]*$/.test(value);
      case 'connection':
        for (const token of value.toLowerCase().split(',')) {
          if (token.trim() === 'close') this.keepAlive = false;
          else if (token.trim() === 'keep-alive' && !this.isHttp11) this.keepAlive = true;
        }
        return true;
      case 'content-length':
        if (this.#contentLength !== undefined || !/^\d{1,16}$/.test(value)) return false;
        this.#contentLength = value;
        return true;
      case 'transfer-encoding':
        this.#hasTransferCoding = true;
        return true;
      case 'if-none-match':
        this.ifNoneMatch = this.ifNoneMatch === undefined ? value : `${this.ifNoneMatch}, ${value}`;
        return true;
      case 'if-modified-since':
        this.ifModifiedSince = value;
        return true;
      case 'range':
        this.range = value;
        return true;
      case 'if-range':
        this.ifRange = value;
        return true;
      default:
        return true;
    }
  }

  /** A body is not read, and what follows it could not be told from it: the answer is the connection's last. */
  #checkBody(): boolean {
    if (this.#hasTransferCoding) {
      if (this.#contentLength !== undefined || !this.isHttp11) return this.#refuse(400) > 0;
    } else if (Number(this.#contentLength ?? 0) === 0) return true;
    return this.#refuse(this.method === 'GET' || this.method === 'HEAD' ? 413 : 405) > 0;
  }
}
