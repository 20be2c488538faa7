import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import test from 'ava';
import { type Body, Text } from '../../../examples/web-cache/bodies.js';
import { type ConnectionHost, WebConnection } from '../../../examples/web-cache/connection.js';
import { RequestParser } from '../../../examples/web-cache/request-parser.js';

/** A socket whose queue the test empties by hand. */
class FakeSocket extends EventEmitter {
  writableLength = 0;
  writableEnded = false;
  isDestroyed = false;
  /** Whether the network takes what is written at once. */
  isFast = true;
  readonly written: Buffer[] = [];
  longestQueueBytes = 0;
  #isPaused = false;
  #completions: (() => void)[] = [];

  setNoDelay(): void {}
  isPaused(): boolean {
    return this.#isPaused;
  }
  pause(): void {
    this.#isPaused = true;
  }
  resume(): void {
    this.#isPaused = false;
  }
  write(bytes: Buffer, callback: () => void): void {
    this.written.push(Buffer.from(bytes));
    if (this.isFast) process.nextTick(callback);
    else {
      this.writableLength += bytes.length;
      this.longestQueueBytes = Math.max(this.longestQueueBytes, this.writableLength);
      this.#completions.push(callback);
    }
  }
  end(): void {
    this.writableEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
  /** The client takes all that is in the queue. */
  complete(): void {
    this.writableLength = 0;
    for (const completion of this.#completions.splice(0)) completion();
  }
  get text(): string {
    return Buffer.concat(this.written).toString('latin1');
  }
}

/** Ten bytes a piece, `pieces` of them. */
class Pieces implements Body {
  ends = 0;
  #left: number;
  constructor(pieces: number) {
    this.#left = pieces;
  }
  next(): Buffer | undefined {
    return this.#left-- > 0 ? Buffer.alloc(10, 'p') : undefined;
  }
  end(): void {
    this.ends++;
  }
}

function connect(answer: (connection: WebConnection, target: string) => void) {
  const socket = new FakeSocket();
  const seen = { partial: 0, closed: 0 };
  const parser = new RequestParser({ maximumHeadBytes: 1000, maximumTargetBytes: 500, maximumFields: 10 });
  const host: ConnectionHost = {
    parser,
    timeouts: { headMs: 100, idleMs: 200, stallMs: 300 },
    answer: (connection) => answer(connection, parser.target),
    onPartialRequest: () => void seen.partial++,
    onClosed: () => void seen.closed++,
  };
  const connection = new WebConnection(socket as unknown as Socket, host);
  return { socket, connection, seen, arrive: (text: string) => void socket.emit('data', Buffer.from(text, 'latin1')) };
}

const request = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
const echo = (connection: WebConnection, target: string) => connection.send(new Text(`<${target}>`), true);

test('an answer leaves within the data handler, before anything else runs', (t) => {
  const { socket, arrive, seen } = connect(echo);
  arrive(request('/a'));
  t.is(socket.text, '</a>');
  t.is(seen.partial, 0);
});

test('a request in pieces gets a context, and is answered with its last byte', (t) => {
  const { socket, arrive, seen } = connect(echo);
  const text = request('/a');
  for (const character of text.slice(0, -1)) arrive(character);
  t.is(socket.text, '');
  t.is(seen.partial, 1);
  arrive(text.slice(-1));
  t.is(socket.text, '</a>');
});

test('pipelined requests are answered in order, also when one ends in a later packet', (t) => {
  const { socket, arrive } = connect(echo);
  const text = `${request('/a')}${request('/b')}${request('/c')}`;
  arrive(text.slice(0, -5));
  t.is(socket.text, '</a></b>');
  arrive(`${text.slice(-5)}${request('/d')}`);
  t.is(socket.text, '</a></b></c></d>');
});

test('however requests are cut, they are answered once and in order', (t) => {
  const text = ['/a', '/b', '/c', '/d'].map(request).join('');
  for (let size = 1; size <= text.length; size++) {
    const { socket, arrive } = connect(echo);
    for (let at = 0; at < text.length; at += size) arrive(text.slice(at, at + size));
    t.is(socket.text, '</a></b></c></d>', `${size} bytes at a time`);
  }
});

test('the next piece is sent from the completion of the last: one is in the queue, never two', (t) => {
  const body = new Pieces(5);
  const { socket, arrive } = connect((connection) => connection.send(body, true));
  socket.isFast = false;
  arrive(request('/a'));
  for (let piece = 1; piece <= 5; piece++) {
    t.is(socket.written.length, piece);
    t.is(body.ends, 0);
    socket.complete();
  }
  t.is(body.ends, 1);
  t.is(socket.longestQueueBytes, 10);
});

test('what comes behind a request that is being answered waits, and past 16 KiB the socket is not read', (t) => {
  const { socket, arrive } = connect((connection, target) =>
    connection.send(target === '/a' ? new Pieces(2) : new Text(`<${target}>`), true),
  );
  socket.isFast = false;
  arrive(request('/a'));
  const requests = 600;
  for (let number = 1; number <= requests; number++) arrive(request('/b'));
  t.true(socket.isPaused());
  t.is(socket.written.length, 1);
  for (let step = 0; step < 2 + requests; step++) socket.complete();
  t.is(socket.text, `${'p'.repeat(20)}${'</b>'.repeat(requests)}`);
  t.is(socket.longestQueueBytes, 10);
  t.false(socket.isPaused());
});

test('a fast client of a long answer leaves the others their turns', async (t) => {
  const body = new Pieces(100);
  const { socket, arrive } = connect((connection) => connection.send(body, true));
  arrive(request('/a'));
  t.true(socket.written.length < 100);
  while (body.ends === 0) await new Promise(setImmediate);
  t.is(socket.written.length, 100);
});

test('a client that goes ends the body once, and nothing is sent after it', async (t) => {
  const body = new Pieces(100);
  const { socket, arrive, seen } = connect((connection) => connection.send(body, true));
  socket.isFast = false;
  arrive(request('/a'));
  socket.destroy();
  socket.complete();
  await new Promise(setImmediate);
  t.is(body.ends, 1);
  t.is(socket.written.length, 1);
  t.is(seen.closed, 1);
});

test('an answer that comes too late for its client is not expected', (t) => {
  let ticket = 0;
  const { socket, connection, arrive } = connect((it) => {
    ticket = it.wait();
  });
  arrive(request('/a'));
  t.true(connection.expects(ticket));
  socket.destroy();
  t.false(connection.expects(ticket));
});

test('a body that fails ends the connection: its length was promised', async (t) => {
  const body: Body = { next: () => Promise.reject(new Error('gone')), end: () => {} };
  const { socket, arrive } = connect((connection) => connection.send(body, true));
  arrive(request('/a'));
  await new Promise(setImmediate);
  t.true(socket.isDestroyed);
});

test('timeouts: half a request, no request, no progress', (t) => {
  const now = performance.now();
  const half = connect(echo);
  half.arrive('GET / HT');
  half.connection.checkTimeouts(now + 50);
  t.is(half.socket.text, '');
  half.connection.checkTimeouts(now + 10_000);
  t.regex(half.socket.text, /^HTTP\/1\.1 408 [\s\S]*Connection: close\r\n/);
  t.true(half.socket.writableEnded);
  // The client neither reads nor closes.
  half.connection.checkTimeouts(now + 20_000);
  t.true(half.socket.isDestroyed);

  const idle = connect(echo);
  idle.arrive(request('/a'));
  idle.connection.checkTimeouts(now + 150);
  t.false(idle.socket.writableEnded);
  idle.connection.checkTimeouts(now + 10_000);
  t.true(idle.socket.writableEnded);

  const stalled = connect((connection) => connection.send(new Pieces(9), true));
  stalled.socket.isFast = false;
  stalled.arrive(request('/a'));
  stalled.connection.checkTimeouts(now + 250);
  t.false(stalled.socket.isDestroyed);
  stalled.connection.checkTimeouts(now + 10_000);
  t.true(stalled.socket.isDestroyed);
});

test('after what cannot be read nothing more is answered', (t) => {
  const { socket, arrive } = connect(echo);
  arrive(`${request('/a')}oops\r\n\r\n${request('/b')}`);
  arrive(request('/c'));
  t.regex(socket.text, /^<\/a>HTTP\/1\.1 400 Bad Request\r\n/);
  t.false(socket.text.includes('/b') || socket.text.includes('/c'));
  t.true(socket.writableEnded);
});
