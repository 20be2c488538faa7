import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import {
  type Connection,
  type ContextEvents,
  createNode,
  type ErrorCode,
  HeddleError,
  type HeddleNode,
  type SessionRequest,
  segments,
} from '../src/index.js';

// What the compiler would refuse is tried too: JavaScript has no compiler.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

let node: HeddleNode;
let connection: Connection;

/** A region of this context's own. */
const ownRegion = () =>
  node.context.openRegion(node.context.exportRegion(node.context.allocate(64), { rights: ['read'] }).handle);

test.before(async () => {
  node = createNode();
  await node.context.listen('shm://bad-input', { onRequest: (message) => message.value, onMessage: () => {} });
  connection = await node.context.connect('shm://bad-input');
});
test.after.always(() => node.close());

async function failsWith(t: ExecutionContext, code: ErrorCode, message: RegExp, call: () => unknown): Promise<void> {
  const error = await t.throwsAsync(async () => call());
  t.true(error instanceof HeddleError, String(error));
  t.is((error as HeddleError).code, code);
  t.regex(error!.message, message);
}

const argument = 'ERR_HEDDLE_INVALID_ARGUMENT';
const uri = 'ERR_HEDDLE_INVALID_URI';
const give = new URL('./fixtures/give-back.js', import.meta.url);
const context = () => node.context as Any;
const start = (module: Any, options?: Any) => node.startContext(module, options);

const cases: readonly [title: string, code: ErrorCode, message: RegExp, call: () => unknown][] = [
  ['listen without a uri', uri, /uri=undefined .* it has shm:\/\/, tcp:\/\//, () => context().listen()],
  ['listen at another scheme', uri, /it has shm:\/\/, tcp:\/\//, () => context().listen('http://localhost:80')],
  ['listen at a bare name', uri, /it has shm:\/\/, tcp:\/\//, () => context().listen('hello')],
  ['listen at no shm name', uri, /shm:\/\/name/, () => context().listen('shm://')],
  ['listen at a name with a space', uri, /letters, digits/, () => context().listen('shm://a b')],
  ['listen at tcp without a port', uri, /write tcp:\/\/host:port/, () => context().listen('tcp://localhost')],
  ['listen at a port too high', uri, /at most 65535/, () => context().listen('tcp://localhost:99999')],
  [
    'listen where another listens',
    'ERR_HEDDLE_ADDRESS_IN_USE',
    /choose another name/,
    () => context().listen('shm://bad-input'),
  ],
  ['listen with null', argument, /as an object, not null/, () => context().listen('shm://x', null)],
  ['listen with a function', argument, /as an object/, () => context().listen('shm://x', () => 1)],
  [
    'a misspelt handler',
    argument,
    /no option onRequset: it takes onRequest/,
    () => context().listen('shm://x', { onRequset: () => 1 }),
  ],
  [
    'a handler that is none',
    argument,
    /onRequest must be a function, not 'yes'/,
    () => context().listen('shm://x', { onRequest: 'yes' }),
  ],
  [
    'a connection option at the wrong place',
    argument,
    /write options: { requestTimeoutMs/,
    () => context().connect('shm://bad-input', { requestTimeoutMs: 5 }),
  ],
  [
    'an unknown connection option',
    argument,
    /no option depth; the options are/,
    () => context().listen('shm://x', { options: { depth: 5 } }),
  ],
  [
    'a connection option out of range',
    argument,
    /receiveDepthMessages must be an integer from 1/,
    () => context().listen('shm://x', { options: { receiveDepthMessages: 0 } }),
  ],
  [
    'connect to nobody over shm',
    'ERR_HEDDLE_REFUSED',
    /listens at shm:\/\/nobody/,
    () => context().connect('shm://nobody'),
  ],
  [
    'connect to nobody over tcp',
    'ERR_HEDDLE_REFUSED',
    /start the service first/,
    () => context().connect('tcp://127.0.0.1:1'),
  ],
  ['connect to port 0', uri, /port 0 lets a listener choose/, () => context().connect('tcp://127.0.0.1:0')],
  [
    'private data that is text',
    argument,
    /use Buffer.from/,
    () => context().connect('shm://bad-input', { privateData: 'me' }),
  ],
  [
    'private data that is too long',
    argument,
    /exceeds 3840/,
    () => context().connect('shm://bad-input', { privateData: Buffer.alloc(4000) }),
  ],
  ['join without a ticket', argument, /session\.ticket\(\)/, () => context().join()],
  [
    'join with something else',
    argument,
    /session\.ticket\(\)/,
    () => context().join({ sessionId: 'x', shared: new SharedArrayBuffer(3) }),
  ],
  [
    'join one context twice',
    'ERR_HEDDLE_CONNECTION_EXISTS',
    /use that one/,
    () => context().join((connection.session as Any).ticket()),
  ],
  ['send a function', 'ERR_HEDDLE_CODEC', /at value, a function is found/, () => connection.send(() => {})],
  [
    'send a function inside of a value',
    'ERR_HEDDLE_CODEC',
    /at value\.a\.b\[0\], a function/,
    () => connection.send({ a: { b: [() => {}] } }),
  ],
  [
    'request with a promise',
    'ERR_HEDDLE_CODEC',
    /a Promise cannot be sent/,
    () => connection.request(Promise.resolve()),
  ],
  ['deliver a symbol', 'ERR_HEDDLE_CODEC', /a symbol is found/, () => connection.deliver(Symbol('x'))],
  ['a segment that is text', argument, /Uint8Array or Buffer/, () => connection.send(segments('text' as Any))],
  ['a header that is text', argument, /use Buffer.from/, () => connection.request(1, { header: 'text' as Any })],
  [
    'a header that is too long',
    'ERR_HEDDLE_MESSAGE_TOO_LARGE',
    /maximumHeaderBytes=4096/,
    () => connection.request(1, { header: Buffer.alloc(5000) }),
  ],
  [
    'a receipt callback that is none',
    argument,
    /onReceipt must be a function/,
    () => connection.send(1, { onReceipt: 5 as Any }),
  ],
  ['a signal that is none', argument, /must be an AbortSignal/, () => connection.request(1, { signal: 5 as Any })],
  ['a deadline of 0', argument, /timeoutMs=0 must be above 0/, () => connection.request(1, { timeoutMs: 0 })],
  ['send with null', argument, /send takes its options as an object, not null/, () => connection.send(1, null as Any)],
  ['request with null', argument, /request takes its options/, () => connection.request(1, null as Any)],
  [
    'a misspelt deadline',
    argument,
    /request has no option timeout: it takes more, .* timeoutMs/,
    () => connection.request(1, { timeout: 5 } as Any),
  ],
  [
    'a deadline for what has none',
    argument,
    /send has no option timeoutMs: it takes more, header/,
    () => connection.send(1, { timeoutMs: 5 } as Any),
  ],
  [
    'a misspelt option of the fast request',
    argument,
    /requestWith has no option timeout/,
    () => connection.requestWith(1, { onResponse() {}, onError() {} }, { timeout: 5 } as Any),
  ],
  [
    'a signal for a request that takes none',
    argument,
    /requestWith has no option signal/,
    () => connection.requestWith(1, { onResponse() {}, onError() {} }, { signal: AbortSignal.abort() } as Any),
  ],
  [
    'a request without a waiter',
    argument,
    /a waiter with onResponse\(message\) and onError\(error\), not null/,
    () => connection.requestWith(1, null as Any),
  ],
  [
    'a receipt callback for deliver, which has its own',
    argument,
    /deliver has no option onReceipt: it takes more, header, onSent, context/,
    () => connection.deliver(1, { onReceipt() {} } as Any),
  ],
  ['deliver with null', argument, /deliver takes its options/, () => connection.deliver(1, null as Any)],
  [
    'a deadline without a text of its own',
    argument,
    /timeoutMs=.*null prototype.* must be above 0/,
    () => connection.request(1, { timeoutMs: Object.create(null) }),
  ],
  [
    'a hint that is a word',
    argument,
    /more must be true or false, not 'yes'/,
    () => connection.send(1, { more: 'yes' } as Any),
  ],
  [
    'a response buffer that is none',
    argument,
    /responseBuffer must be a SharedBuffer or a Uint8Array, not ArrayBuffer/,
    () => connection.request(1, { responseBuffer: new ArrayBuffer(8) as Any }),
  ],
  [
    'a response buffer that was given back',
    argument,
    /responseBuffer must be .*, not one that was released or sent/,
    () => {
      const responseBuffer = node.context.allocate(100_000);
      responseBuffer.release();
      return connection.request(1, { responseBuffer });
    },
  ],
  [
    "a message past the peer's depth",
    'ERR_HEDDLE_MESSAGE_TOO_LARGE',
    /receiveDepthBytes=/,
    () => connection.send(Buffer.alloc(65 * 1024 * 1024)),
  ],
  [
    'set a fixed option',
    'ERR_HEDDLE_INVALID_STATE',
    /agreed at setup/,
    () => connection.setOptions({ receiveDepthBytes: 5 }),
  ],
  [
    'set no options of a connection',
    argument,
    /setOptions takes its options/,
    () => connection.setOptions(null as Any),
  ],
  ['set no options of a context', argument, /setOptions takes its options/, () => context().setOptions(null)],
  [
    'set no options of the connections of a context',
    argument,
    /a connection takes its options as an object, not null/,
    () => context().setOptions({ connection: null }),
  ],
  ['count a word', argument, /a counter takes numbers, not 'x'/, () => context().counter('words').add('x')],
  ['set a counter to nothing', argument, /takes numbers, not undefined/, () => context().counter('words').set()],
  ['set an unknown option', argument, /no option poll/, () => context().setOptions({ poll: 5 })],
  ['allocate less than nothing', argument, /lengthBytes must be an integer/, () => context().allocate(-1)],
  ['a counter without a name', argument, /1 to 63 bytes/, () => context().counter('')],
  ['close a node by another clock', argument, /close has no option seconds/, () => (node as Any).close({ seconds: 5 })],
  [
    'stop a context in no time',
    argument,
    /timeoutMs must be an integer from 0/,
    () => context().stop({ timeoutMs: -1 }),
  ],
  [
    'a misspelt option of an operation on a region',
    argument,
    /an operation on a region has no option timeout: it takes timeoutMs, signal, context/,
    async () => (await ownRegion()).read(0, 1, { timeout: 5 } as Any),
  ],
  [
    'an operation on a region within 0 ms',
    argument,
    /timeoutMs=0 must be above 0/,
    async () => (await ownRegion()).read(0, 1, { timeoutMs: 0 }),
  ],
  [
    'open a region with a signal that is none',
    argument,
    /signal must be an AbortSignal, not 5/,
    async () => context().openRegion((await ownRegion()).handle, { signal: 5 }),
  ],
  ['work that is no function', argument, /addWork takes a function/, () => context().addWork(5)],
  ['wait for a time that is none', argument, /timeoutMs must be an integer/, () => context().waitForWork('long')],
  ['start no module', argument, /use new URL\('\.\/module\.js', import\.meta\.url\)/, () => start(undefined)],
  ['start a bare name', argument, /starts with \.\/ or \.\.\//, () => start('server.js')],
  [
    'start a module that is not there',
    'ERR_HEDDLE_CONTEXT_START',
    /could not start: .*Cannot find module/,
    () => start(new URL('./fixtures/nowhere.js', import.meta.url)),
  ],
  [
    'start a module without a main function',
    'ERR_HEDDLE_CONTEXT_START',
    /must export by default its main/,
    () => start(new URL('./fixtures/no-main.js', import.meta.url)),
  ],
  [
    'give a function to a context',
    'ERR_HEDDLE_CONTEXT_START',
    /data given to it cannot be handed/,
    () => start(give, { data: () => {} }),
  ],
  [
    'return a function from a context',
    'ERR_HEDDLE_CONTEXT_START',
    /returned cannot be handed/,
    () => start(give, { data: 'function' }),
  ],
  [
    'a misspelt start option',
    argument,
    /startContext has no option dta: it takes name, data/,
    () => start(give, { dta: 1 }),
  ],
  [
    'a context option at the wrong place',
    argument,
    /write options: { pollingMicros/,
    () => start(give, { pollingMicros: 1 }),
  ],
  [
    'a misspelt context option',
    argument,
    /a context has no option polling/,
    () => start(give, { options: { polling: 1 } }),
  ],
  [
    'a context option of the wrong type',
    argument,
    /manualPolling must be a boolean, not 1/,
    () => start(give, { options: { manualPolling: 1 } }),
  ],
  ['a misspelt node option', argument, /createNode has no option rings/, () => createNode({ rings: 1 } as Any)],
  [
    'a ring of a size that no ring has',
    argument,
    /ringCapacityBytes must be a power of two/,
    () => createNode({ ringCapacityBytes: 5000 }),
  ],
];

for (const [title, code, message, call] of cases) {
  test(`${title}: ${code}`, (t) => failsWith(t, code, message, call));
}

test.serial('after all of this the connection still works', async (t) => {
  t.is((await connection.request('fine')).value, 'fine');
});

test('a codec that nobody registered is named when it is needed', async (t) => {
  const other = createNode({ contextOptions: { codec: 'cbor' } });
  t.teardown(() => other.close());
  await failsWith(t, argument, /no codec=cbor .* registerCodec/, () => other.context.listen('shm://cbor'));
});

test('two sides with different codecs do not come together', async (t) => {
  const server = await node.context.listen('tcp://127.0.0.1:0');
  const other = createNode({ contextOptions: { codec: 'json' } });
  t.teardown(() => other.close());
  await failsWith(t, 'ERR_HEDDLE_REFUSED', /codec=compact, the client with codec=json/, () =>
    other.context.connect(server.uri),
  );
});

const wrongDecisions: readonly [title: string, code: ErrorCode, decide: (request: SessionRequest) => void][] = [
  ['accepting twice', 'ERR_HEDDLE_INVALID_STATE', (request) => [request.accept(), request.accept()]],
  ['accepting with no portals', argument, (request) => request.accept({ portals: [] })],
  ['accepting with something else', argument, (request) => request.accept({ portals: 'shm://x' as Any })],
  ['redirecting to nowhere', argument, (request) => request.redirect('nowhere')],
];
wrongDecisions.forEach(([title, code, decide], index) => {
  test(`${title} is reported as ${code}, and the client is not left waiting`, async (t) => {
    const other = createNode();
    t.teardown(() => other.close());
    const name = `shm://decision-${index}`;
    await other.context.listen(name, { onSession: decide });
    const report = once(other.context, 'report') as Promise<ContextEvents['report']>;
    if (index === 0) t.true((await other.context.connect(name)).isOnline);
    else await failsWith(t, 'ERR_HEDDLE_REJECTED', /failed to decide/, () => other.context.connect(name));
    const [error] = await report;
    t.is(error.code, code);
    t.is(other.context.statistics.contextErrors, 1);
  });
});

test('a connection rejects, and does not throw, options of openRegion that are none', async (t) => {
  const { handle } = await ownRegion();
  for (const options of [null, { timeout: 5 }, { timeoutMs: -1 }]) {
    const opening = connection.openRegion(handle, options as Any);
    await t.throwsAsync(opening, { code: argument });
  }
});

test('an answer with options that there are not is refused, and can be given anew', async (t) => {
  const refused: string[] = [];
  const answers: Any[] = [null, { timeoutMs: 5 }, { more: 1 }];
  await node.context.listen('shm://answers', {
    onRequest: (message) => {
      const kept = message.keep();
      for (const options of answers)
        refused.push(t.throws(() => kept.respond('wrong', options), { code: argument } as Any)!.message);
      kept.respond('right');
    },
  });
  const asker = await node.context.connect('shm://answers');
  t.is((await asker.request('what')).value, 'right');
  t.deepEqual(refused, [
    'respond takes its options as an object, not null',
    'respond has no option timeoutMs: it takes more, header, onSent, context',
    'more must be true or false, not 1',
  ]);
});

test('a rejection without a reason is a rejection still', async (t) => {
  await node.context.listen('shm://silent', { onSession: (request) => (request as Any).reject() });
  await failsWith(t, 'ERR_HEDDLE_REJECTED', /no reason given/, () => node.context.connect('shm://silent'));
});

test('a service may be an object of a class, with more than handlers', async (t) => {
  class Adder {
    readonly #offset = 10;
    readonly name = 'adder';
    onRequest = (message: { readonly value: number }) => message.value + this.#offset;
  }
  await node.context.listen('shm://adder-object', new Adder());
  const adder = await node.context.connect('shm://adder-object');
  t.is((await adder.request(5)).value, 15);
});

test('waiting for work does not put a context to sleep for good', async (t) => {
  await node.context.waitForWork(1);
  t.is((await connection.request('awake')).value, 'awake');
});
