import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { createTestKit } from '../../src/testkit.js';
import { Counter } from '../runtime/actors/fixtures/counter.js';

interface Command {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

/** A debugger as Chrome and VS Code are: the protocol of the main thread, and through it that of each other thread. */
class Debugger {
  readonly #session = new Session();
  readonly #sessionOfThread = new Map<string, string>();
  readonly #waiting: { fits(sessionId: string, message: Command): boolean; resolve(message: Command): void }[] = [];
  #lastId = 0;
  #onThread: () => void = () => {};

  constructor(t: ExecutionContext) {
    this.#session.connect();
    t.teardown(() => this.#session.disconnect());
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => {
      this.#sessionOfThread.set(params.workerInfo.title, params.sessionId);
      this.#onThread();
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const message = JSON.parse(params.message) as Command;
      const index = this.#waiting.findIndex(({ fits }) => fits(params.sessionId, message));
      if (index >= 0) this.#waiting.splice(index, 1)[0]!.resolve(message);
    });
    this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  get threads(): string[] {
    return [...this.#sessionOfThread.keys()].sort();
  }

  async thread(name: RegExp): Promise<string> {
    for (;;) {
      const title = this.threads.find((one) => name.test(one));
      if (title !== undefined) return this.#sessionOfThread.get(title) as string;
      await new Promise<void>((resolve) => {
        this.#onThread = resolve;
      });
    }
  }

  /** Sends a command to a thread, and resolves with its result. */
  async send(sessionId: string, method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const answer = this.#next((from, message) => from === sessionId && message.id === id);
    this.#session.post('NodeWorker.sendMessageToWorker', {
      sessionId,
      message: JSON.stringify({ id, method, params }),
    });
    return (await answer).result ?? {};
  }

  /** Resolves with the parameters of the next event of that name in that thread. */
  async event(sessionId: string, method: string): Promise<Record<string, unknown>> {
    return (await this.#next((from, message) => from === sessionId && message.method === method)).params ?? {};
  }

  #next(fits: (sessionId: string, message: Command) => boolean): Promise<Command> {
    return new Promise((resolve) => void this.#waiting.push({ fits, resolve }));
  }
}

test('a debugger sees each context by its name, stops in a handler, and the ask goes on', async (t) => {
  const kit = await createTestKit({ contexts: [{ name: 'orders' }, { name: 'stock' }], askTimeoutMs: 120_000 });
  t.teardown(() => kit.close());
  const { system } = kit;
  const inspector = new Debugger(t);
  const orders = await inspector.thread(/orders/);
  await inspector.thread(/stock/);
  t.is(inspector.threads.length, 2);
  t.regex(inspector.threads.join(), /^\[worker \d+\] \S*orders,\[worker \d+\] \S*stock$/);

  const counter = await system.spawn(Counter, { start: 40 }, { on: 'orders' });
  const file = fileURLToPath(Counter.module);
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((text) => text.includes('state.count += by'));
  t.true(line >= 0);
  await inspector.send(orders, 'Debugger.enable');
  await inspector.send(orders, 'Debugger.setBreakpointByUrl', { url: Counter.module, lineNumber: line });

  const paused = inspector.event(orders, 'Debugger.paused');
  const added = counter.ask('add', 2);
  const [frame] = (await paused).callFrames as {
    callFrameId: string;
    functionName: string;
    location: { lineNumber: number };
  }[];
  t.is(frame!.functionName, 'add');
  t.is(frame!.location.lineNumber, line);
  const { result } = await inspector.send(orders, 'Debugger.evaluateOnCallFrame', {
    callFrameId: frame!.callFrameId,
    expression: 'state.count + by',
  });
  t.is((result as { value: number }).value, 42);
  await inspector.send(orders, 'Debugger.resume');
  await added;
  t.is(await counter.ask('get'), 42);
  await inspector.send(orders, 'Debugger.disable');
});
