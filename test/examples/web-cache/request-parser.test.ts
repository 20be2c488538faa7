import test from 'ava';
import fc from 'fast-check';
import { incomplete, RequestParser, refused } from '../../../examples/web-cache/request-parser.js';

const limits = { maximumHeadBytes: 1000, maximumTargetBytes: 200, maximumFields: 10 };

function parse(text: string) {
  const parser = new RequestParser(limits);
  const bytes = Buffer.from(text, 'latin1');
  const end = parser.parse(bytes, 0);
  return { end, status: parser.status, request: parser.snapshot() };
}

test('a request is read to its end, and no further', (t) => {
  const text = 'GET /a?b HTTP/1.1\r\nHost: x\r\nIf-None-Match: "1"\r\nIf-None-Match: "2"\r\nRange: bytes=0-1 \r\n\r\n';
  const { end, request } = parse(`${text}GET /next HTTP/1.1\r\n`);
  t.is(end, text.length);
  t.deepEqual(request, {
    method: 'GET',
    target: '/a?b',
    isHttp11: true,
    keepAlive: true,
    ifNoneMatch: '"1", "2"',
    ifModifiedSince: undefined,
    range: 'bytes=0-1',
    ifRange: undefined,
  });
});

test('the connection stays when the client wants it to', (t) => {
  const keepAlive = (version: string, fields: string) =>
    parse(`GET / HTTP/${version}\r\nHost: x\r\n${fields}\r\n`).request.keepAlive;
  t.true(keepAlive('1.1', ''));
  t.false(keepAlive('1.1', 'Connection: upgrade, Close\r\n'));
  t.false(keepAlive('1.0', ''));
  t.true(keepAlive('1.0', 'connection: Keep-Alive\r\n'));
});

test('empty lines before a request, the absolute form and HTTP/1.0 without a host are taken', (t) => {
  t.is(parse('\r\n\r\nGET / HTTP/1.0\r\n\r\n').request.target, '/');
  t.is(parse('GET http://x:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n').request.target, '/a?b');
  t.is(parse('GET http://x HTTP/1.1\r\nHost: x\r\n\r\n').request.target, '/');
  t.is(parse('DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n').request.method, 'DELETE');
});

const host = 'Host: x\r\n';
const malformed: readonly (readonly [title: string, text: string, status: number])[] = [
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['two spaces', `GET  / HTTP/1.1\r\n${host}\r\n`, 400],
  ['lines that end in LF', `GET / HTTP/1.1\nHost: x\n\n`, 400],
  ['a LF within the fields', `GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n`, 400],
  ['a CR in a value', `GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n`, 400],
  ['a NUL', `GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n`, 400],
  ['a space before the colon', `GET / HTTP/1.1\r\nHost : x\r\n\r\n`, 400],
  ['a folded line', `GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n`, 400],
  ['a field without a colon', `GET / HTTP/1.1\r\n${host}oops\r\n\r\n`, 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400],
  ['a host that is none', `GET / HTTP/1.1\r\nHost: a/b\r\n\r\n`, 400],
  ['two lengths', `GET / HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`, 400],
  ['a length that is none', `GET / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\n`, 400],
  ['a length beside a coding', `GET / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['a target that is not ASCII', `GET /\xe4 HTTP/1.1\r\n${host}\r\n`, 400],
  ['another major version', `GET / HTTP/2.0\r\n${host}\r\n`, 505],
  ['a body', `GET / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`, 413],
  ['a chunked body', `HEAD / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`, 413],
  ['a method with a body', `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`, 405],
  ['a long target', `GET /${'a'.repeat(200)} HTTP/1.1\r\n${host}\r\n`, 414],
  ['an endless target', `GET /${'a'.repeat(500)}`, 414],
  ['a long head', `GET / HTTP/1.1\r\n${host}A: ${'a'.repeat(1000)}\r\n\r\n`, 431],
  ['an endless head', `GET / HTTP/1.1\r\n${host}A: ${'a'.repeat(1000)}`, 431],
  ['many fields', `GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(10)}\r\n`, 431],
];
for (const [title, text, status] of malformed) {
  test(`refused with ${status}: ${title}`, (t) => {
    t.like(parse(text), { end: refused, status });
  });
}

test('a request that arrives in pieces is incomplete up to its last byte', (t) => {
  const text = `GET /a HTTP/1.1\r\n${host}Accept: text/html, */*\r\n\r\n`;
  for (let length = 1; length < text.length; length++) t.is(parse(text.slice(0, length)).end, incomplete, `${length}`);
  t.is(parse(text).end, text.length);
});

test('whatever arrives, the parser ends, and never beyond what there is', (t) => {
  const pieces = fc.constantFrom(
    'GET ',
    '/',
    ' HTTP/1.1',
    '\r\n',
    '\n',
    '\r',
    'Host: x',
    ': ',
    'A',
    '\0',
    ' ',
    '\xff',
    '%',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 9 })), { maxLength: 60 }), (words) => {
      const text = words.join('');
      const { end, status } = parse(text);
      if (end === refused) return [400, 405, 413, 414, 431, 505].includes(status);
      return end === incomplete || (end > 0 && end <= Buffer.byteLength(text, 'latin1'));
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
