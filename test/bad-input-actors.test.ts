import test, { type ExecutionContext } from 'ava';
import {
  type ActorContext,
  type ActorSystem,
  createRouter,
  createSystem,
  defineActor,
  defineObjectActor,
  type ErrorCode,
  HeddleError,
  wrap,
} from '../src/index.js';
import { PeerGroup } from '../src/runtime/cluster/peer-system.js';
import { createTestKit, type TestKit } from '../src/testkit.js';

// What the compiler would refuse is tried too: JavaScript has no compiler.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

const Obliging = defineActor(import.meta.url, {
  name: 'obliging',
  state: () => ({}),
  handlers: {
    hello: () => 'hello',
    // By reference: the test's own function, with the actor's means.
    call: async (_state, what: (actor: ActorContext) => unknown, actor: ActorContext) => {
      await what(actor);
    },
  },
});

let kit: TestKit;
let system: Any;
let ref: Any;

test.before(async () => {
  kit = await createTestKit({ contexts: 1, throughCodec: false, ringCapacityBytes: 64 * 1024 });
  system = kit.system;
  ref = kit.system.spawnHere(Obliging);
});
test.after.always(() => kit.close());

async function failsWith(t: ExecutionContext, code: ErrorCode, message: RegExp, call: () => unknown): Promise<void> {
  const error = await t.throwsAsync(async () => call());
  t.true(error instanceof HeddleError, String(error));
  t.is((error as HeddleError).code, code);
  t.regex(error!.message, message);
}

let names = 0;
const define = (more: object) => () =>
  (defineActor as Any)(import.meta.url, { name: `actor-${names++}`, state: () => ({}), handlers: {}, ...more });
const make =
  (options: Any): (() => Promise<ActorSystem>) =>
  () =>
    createSystem(options);
const inActor = (what: (actor: Any) => unknown) => () => ref.ask('call', what);

const argument = 'ERR_HEDDLE_INVALID_ARGUMENT';
const cases: readonly [title: string, code: ErrorCode, message: RegExp, call: () => unknown][] = [
  [
    'a message without a name',
    argument,
    /the name of a message is a text.*not undefined/,
    () => ref.tell(undefined, 1),
  ],
  [
    'a message named by a symbol',
    argument,
    /the name of a message is a text.*Symbol\(stop\)/,
    () => ref.tell(Symbol('stop')),
  ],
  ['an ask named by a number', argument, /the name of a message is a text.*not 17/, () => ref.ask(17)],
  [
    'a message for later named by an object',
    argument,
    /the name of a message is a text/,
    inActor((actor) => actor.sendLater(1, actor.self, {})),
  ],
  [
    'a message for every now and then without a name',
    argument,
    /the name of a message is a text/,
    inActor((actor) => actor.sendEvery(1, actor.self)),
  ],
  ['an actor without a module', argument, /give import\.meta\.url/, () => (defineActor as Any)()],
  [
    'an actor of nothing',
    argument,
    /defineActor takes its options as an object/,
    () => (defineActor as Any)('file:///x'),
  ],
  ['an actor without a name', argument, /needs a name, unique in its module/, define({ name: '' })],
  ['an actor without a state', argument, /needs state\(args\)/, define({ state: undefined })],
  ['an actor without handlers', argument, /needs handlers, an object/, define({ handlers: undefined })],
  [
    'a handler that is none',
    argument,
    /the handler add of actor .* must be a function, not 5/,
    define({ handlers: { add: 5 } }),
  ],
  ['a misspelt part of an actor', argument, /has no option onStopped: it takes name/, define({ onStopped() {} })],
  [
    'a misspelt option of a mailbox',
    argument,
    /mailbox has no option size: it takes capacity/,
    define({ mailbox: { size: 5 } }),
  ],
  ['a capacity of none', argument, /capacity must be an integer from 1/, define({ mailbox: { capacity: 0 } })],
  [
    'an unknown policy',
    argument,
    /whenFull='explode' is none of backpressure/,
    define({ mailbox: { whenFull: 'explode' } }),
  ],
  ['a misspelt supervision', argument, /supervision has no option restarts/, define({ supervision: { restarts: 5 } })],
  [
    'an unknown onLimit',
    argument,
    /onLimit='explode' is none of stop/,
    define({ supervision: { onLimit: 'explode' } }),
  ],
  ['a decision that is none', argument, /decide must be a function/, define({ supervision: { decide: 'stop' } })],
  [
    'a stop timeout that is none',
    argument,
    /stopTimeoutMs of actor .* milliseconds/,
    define({ stopTimeoutMs: 'long' }),
  ],
  ['a receive timeout below 0', argument, /receiveTimeoutMs of actor .* not -1/, define({ receiveTimeoutMs: -1 })],

  ['a system of null', argument, /createSystem takes its options as an object, not null/, make(null)],
  [
    'a misspelt option of a system',
    argument,
    /createSystem has no option context: it takes contexts/,
    make({ context: 2 }),
  ],
  ['fewer contexts than none', argument, /contexts must be an integer from 0/, make({ contexts: -1 })],
  ['contexts as a text', argument, /contexts must be a number, or a list/, make({ contexts: '2' })],
  ['a misspelt option of a context', argument, /no option nam: it takes name/, make({ contexts: [{ nam: 'x' }] })],
  ['two contexts of one name', argument, /the same name/, make({ contexts: [{ name: 'x' }, { name: 'x' }] })],
  ['a signal that there is not', argument, /'SIGFOO' is none of SIGHUP/, make({ signals: ['SIGFOO'] })],
  ['a signal that nobody can hear', argument, /'SIGKILL' is none of/, make({ signals: ['SIGKILL'] })],
  [
    'one signal without a list',
    argument,
    /signals must be a list of names, not 'SIGTERM'/,
    make({ signals: 'SIGTERM' }),
  ],
  [
    'signals that cannot be shown',
    argument,
    /signals must be a list of names, not \[Object: null prototype\]/,
    make({ signals: Object.create(null) }),
  ],
  ['a port to listen on', argument, /listen must be a portal, as in tcp:.*not 5/, make({ listen: 5 })],
  ['a list of ports to listen on', argument, /listen must be a portal, .*not \[ 5 \]/, make({ listen: [5] })],
  ['a number of definitions', argument, /register must be a list of definitions, .*not 5/, make({ register: 5 })],
  ['a definition that is none', argument, /register takes what defineActor\(\)/, make({ register: [{ name: 'x' }] })],
  ['contexts of 5', argument, /contextOptions takes its options as an object, not 5/, make({ contextOptions: 5 })],
  ['contexts of null', argument, /contextOptions takes its options as an object/, make({ contextOptions: null })],
  ['peers of 5', argument, /peerOptions takes its options as an object, not 5/, make({ peerOptions: 5 })],
  ['deadlocks of x', argument, /detectDeadlocks must be true or false, not 'x'/, make({ detectDeadlocks: 'x' })],
  ['a deadline of none', argument, /askTimeoutMs must be an integer from 1/, make({ askTimeoutMs: 0 })],
  ['a name that is none', argument, /name must be a text, not 5/, make({ name: 5 })],
  ['an unknown strategy', argument, /strategy='x' is none of one-for-one/, make({ supervision: { strategy: 'x' } })],
  ['a misspelt restart', argument, /restartContexts has no option maximum/, make({ restartContexts: { maximum: 5 } })],

  ['spawn nothing', argument, /spawn\(\) takes what defineActor\(\) has returned, not undefined/, () => system.spawn()],
  ['spawn a class', argument, /defineActor\(\) has returned, not function Date/, () => system.spawn(Date)],
  ['spawn nothing here', argument, /spawnHere\(\) takes what defineActor/, () => system.spawnHere({})],
  [
    'a misspelt option of spawn',
    argument,
    /spawn has no option in: it takes on, name/,
    () => system.spawn(Obliging, undefined, { in: 'x' }),
  ],
  [
    'a context instead of options',
    argument,
    /spawn takes its options as an object, not 'worker-1'/,
    () => system.spawn(Obliging, undefined, 'worker-1'),
  ],
  [
    'spawn nowhere',
    argument,
    /its contexts are main, worker-1/,
    () => system.spawn(Obliging, undefined, { on: 'worker-9' }),
  ],
  [
    'a key that is no text',
    argument,
    /on=\{ key: 5 \} is no placement/,
    () => system.spawn(Obliging, undefined, { on: { key: 5 } }),
  ],
  [
    'args that cannot travel',
    'ERR_HEDDLE_CODEC',
    /at value\.args, a function is found/,
    () => system.spawn(Obliging, () => 1),
  ],

  ['ask for nothing', argument, /the name of a message is a text.*not undefined/, () => ref.ask()],
  ['ask for what there is not', 'ERR_HEDDLE_UNKNOWN_MESSAGE', /has no handler with name=hallo/, () => ref.ask('hallo')],
  ['ask for 0 ms', argument, /timeoutMs=0 must be above 0/, () => ref.ask('hello', undefined, { timeoutMs: 0 })],
  [
    'ask for a text of ms',
    argument,
    /timeoutMs='5' must be above 0/,
    () => ref.ask('hello', undefined, { timeoutMs: '5' }),
  ],
  [
    'a misspelt option of ask',
    argument,
    /ask has no option timeout: it takes timeoutMs/,
    () => ref.ask('hello', undefined, { timeout: 5 }),
  ],
  [
    'a signal that is none',
    argument,
    /signal must be an AbortSignal, not 5/,
    () => ref.ask('hello', undefined, { signal: 5 }),
  ],

  [
    'a misspelt option of wrap',
    argument,
    /wrap has no option timeout: it takes timeoutMs/,
    () => wrap(ref, { timeout: 5 } as object),
  ],
  [
    'a deadline of callbacks that is none',
    argument,
    /callbackTimeoutMs=0 must be above 0/,
    () => defineObjectActor(import.meta.url, { name: 'x', create: () => ({}), callbackTimeoutMs: 0 }),
  ],
  [
    'a misspelt option of a close',
    argument,
    /close has no option timeout: it takes timeoutMs/,
    () => system.close({ timeout: 5 }),
  ],
  ['stop nobody', argument, /takes the ref of an actor, as spawn\(\) resolves to it/, () => system.stop()],
  ['stop a name', argument, /takes the ref of an actor, .* not 'x'/, () => system.stop('x')],
  ['watch nobody', argument, /takes the ref of an actor/, () => system.watch({})],
  ['register nobody', argument, /the registry takes the ref of an actor.*not \{\}/, () => system.register('x', {})],
  ['register without a name', argument, /1 to 255 characters/, () => system.register('', ref)],
  ['subscribe without a listener', argument, /must be a function, not undefined/, () => system.subscribe('x')],
  ['a group without a name', argument, /the name of a group must be a text/, () => system.group()],
  ['nobody joins', argument, /the registry takes the ref of an actor/, () => system.group('g').join({})],
  ['an unknown phase', argument, /phase='first' is none of before-actors/, () => system.onShutdown('first', () => {})],
  [
    'a task that is none',
    argument,
    /the task of a shutdown must be a function/,
    () => system.onShutdown('before-actors'),
  ],
  ['a router over nothing', argument, /a list of refs, or a group/, () => (createRouter as Any)()],
  [
    'a router over a group of another node',
    argument,
    /a group of its own system.*await group\.members\(\)/,
    () => (createRouter as Any)(new PeerGroup('g', {} as Any)),
  ],
  ['a router over numbers', argument, /createRouter\(\) takes the ref of an actor/, () => createRouter([5 as Any])],
  [
    'an unknown routing',
    argument,
    /strategy='x' is none of round-robin/,
    () => createRouter([ref], { strategy: 'x' as Any }),
  ],
  [
    'a hash by a number',
    argument,
    /what keyOf\(name, payload\) returns must be a text, not 5/,
    () => (createRouter([ref], { strategy: 'consistent-hash', keyOf: () => 5 as Any }) as Any).tell('hello'),
  ],
  [
    'a misspelt option of an ask of all',
    argument,
    /ask has no option timeout/,
    () => (createRouter([ref, ref], { strategy: 'broadcast' }) as Any).ask('hello', undefined, { timeout: 5 }),
  ],
  ['a hash of nothing', argument, /needs keyOf/, () => createRouter([ref], { strategy: 'consistent-hash' })],
  ['a pool of nothing', argument, /createPool\(\) takes what defineActor/, () => system.createPool()],
  [
    'a misspelt option of a pool',
    argument,
    /createPool has no option min: it takes/,
    () => system.createPool(Obliging, undefined, { min: 1 }),
  ],
  [
    'a pool of less than its least',
    argument,
    /maximum must be an integer from 3/,
    () => system.createPool(Obliging, undefined, { minimum: 3, maximum: 2 }),
  ],

  [
    'send later to nobody',
    argument,
    /sendLater\(\) takes the ref/,
    inActor((actor) => actor.sendLater(5, undefined, 'x')),
  ],
  [
    'send at a time that is none',
    argument,
    /delayMs='x' must be from 0/,
    inActor((actor) => actor.sendLater('x', actor.self, 'x')),
  ],
  [
    'send again and again to nobody',
    argument,
    /sendEvery\(\) takes the ref/,
    inActor((actor) => actor.sendEvery(5, 'x', 'x')),
  ],
  [
    'an actor asks nobody',
    argument,
    /ask\(\) takes the ref of an actor/,
    inActor((actor) => {
      try {
        return actor.ask(null, 'x');
      } catch {
        return 'it threw, and makes promises';
      }
    }),
  ],
  ['an actor watches nobody', argument, /takes the ref of an actor/, inActor((actor) => actor.watch())],
  ['an actor unwatches nobody', argument, /unwatch\(\) takes the ref/, inActor((actor) => actor.unwatch())],
  [
    'an actor subscribes without a message',
    argument,
    /message must be a text/,
    inActor((actor) => actor.subscribe('x')),
  ],
  [
    'an idle time that is none',
    argument,
    /timeoutMs must be a number/,
    inActor((actor) => actor.setReceiveTimeout('x')),
  ],

  ['a test kit of null', argument, /createTestKit takes its options as an object/, () => createTestKit(null as Any)],
  [
    'a misspelt option of a test kit',
    argument,
    /createTestKit has no option manual: it takes throughCodec/,
    () => createTestKit({ manual: true } as Any),
  ],
  ['manual time of yes', argument, /manualTime must be true or/, () => createTestKit({ manualTime: 'yes' } as Any)],
  ['a codec of 1', argument, /throughCodec must be true or false/, () => createTestKit({ throughCodec: 1 } as Any)],
  ['fish for nothing', argument, /fishFor\(\) takes the name of a message/, () => kit.probe().fishFor(null as Any)],
  ['a probe watches nobody', argument, /a probe takes the ref of an actor/, () => kit.probe().watch(null as Any)],
  [
    'a probe expects the end of nobody',
    argument,
    /a probe takes the ref of an actor/,
    () => kit.probe().expectTermination(null as Any),
  ],
];

for (const [title, code, message, call] of cases) {
  test.serial(`${title}: ${code}`, (t) => failsWith(t, code, message, call));
}

test.serial('after all of this the system still works', async (t) => {
  t.is(await ref.ask('hello'), 'hello');
  t.is(await (await system.spawn(Obliging, undefined, { on: 'here' })).ask('hello'), 'hello');
});

test.serial('a closed system says so', async (t) => {
  const closed: Any = await createSystem();
  const actor = closed.spawnHere(Obliging);
  await closed.close();
  await failsWith(t, 'ERR_HEDDLE_CLOSED', /make another one with createSystem/, () => closed.spawn(Obliging));
  await failsWith(t, 'ERR_HEDDLE_CLOSED', /make another one/, () => closed.spawnHere(Obliging));
  await failsWith(t, 'ERR_HEDDLE_ACTOR_STOPPED', /was stopped/, () => actor.ask('hello'));
  t.false(actor.tell('hello'));
});
