/**
 * A role is a thread or a process that a side starts and calls. Its module exports
 * `roles: { name: (options) => handlers }`; the handlers answer calls by name.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { type Transferable, Worker } from 'node:worker_threads';

/** What answers the calls to a role. */
// biome-ignore lint/suspicious/noExplicitAny: a caller and the handler that it names agree on the argument's type
export type Handlers = Record<string, (argument: any) => unknown>;

/** What a role module exports as `roles`. */
// biome-ignore lint/suspicious/noExplicitAny: a starter and the role that it names agree on the options' type
export type Roles = Record<string, (options: any) => Handlers | Promise<Handlers>>;

/** A started role. */
export interface Role {
  /** Calls a handler and waits for what it returns. Rejects when it throws, takes too long, or the role ends. */
  call<Result = void>(name: string, argument?: unknown, transfer?: readonly Transferable[]): Promise<Result>;
  /** Ends the thread or process and waits until it is gone. */
  stop(): Promise<void>;
  /** Keeps this process from waiting for the role's end: the role ends with it. A call under way is waited for. */
  unref(): void;
}

/** What a role's host is told to become. */
export interface RoleStart {
  readonly module: string;
  readonly role: string;
  readonly options: unknown;
}

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The longest that any call may take: a run of the longest benchmark and ample time to start programs. */
const callTimeoutMs = 90_000;
/** How long a process may take to end by itself. */
const exitTimeoutMs = 3_000;
const hostUrl = new URL('./role-host.js', import.meta.url);

/** Matches answers to calls. */
class Calls {
  readonly #pending = new Map<number, { settle: (answer: Answer) => void; timer: NodeJS.Timeout }>();
  readonly #what: string;
  #nextId = 1;
  #ended: string | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  call(name: string, argument: unknown, post: (call: Call) => void): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.settle({ id, error: `${this.#what}: ${name} gave no answer within ${callTimeoutMs} ms` }),
        callTimeoutMs,
      );
      const settle = (answer: Answer): void => {
        clearTimeout(timer);
        if (answer.error === undefined) resolve(answer.result);
        else reject(new Error(answer.error));
      };
      this.#pending.set(id, { settle, timer });
      try {
        post({ id, name, argument });
      } catch (error) {
        this.settle({ id, error: `${this.#what}: ${name} could not be called: ${String(error)}` });
      }
    });
  }

  settle(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    pending?.settle(answer);
  }

  end(reason: string): void {
    this.#ended ??= `${this.#what}: ${reason}`;
    for (const id of [...this.#pending.keys()]) this.settle({ id, error: this.#ended });
  }
}

/** Starts a role of `module` in a worker thread. */
export async function startThread(module: string, role: string, options: unknown = {}): Promise<Role> {
  const start: RoleStart = { module, role, options };
  const worker = new Worker(hostUrl, { workerData: start });
  const calls = new Calls(`thread ${role}`);
  worker.on('message', (answer: Answer) => calls.settle(answer));
  worker.on('error', (error) => calls.end(String(error.stack ?? error)));
  worker.on('exit', (code) => calls.end(`the thread exited with code ${code}`));
  const startedRole: Role = {
    call: async <Result>(name: string, argument?: unknown, transfer: readonly Transferable[] = []) =>
      (await calls.call(name, argument, (call) => worker.postMessage(call, transfer))) as Result,
    stop: async () => {
      await worker.terminate();
    },
    unref: () => worker.unref(),
  };
  return whenStarted(startedRole);
}

/** Starts a role of `module` in a new Node.js process. It ends when this process does. */
export async function startProcess(module: string, role: string, options: unknown = {}): Promise<Role> {
  const child = fork(hostUrl, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const calls = new Calls(`process ${role}`);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      calls.end(`the process exited with ${signal ?? `code ${code}`}`);
      resolve();
    });
    child.once('error', (error) => {
      calls.end(String(error));
      if (child.pid === undefined) resolve();
    });
  });
  child.on('message', (answer) => calls.settle(answer as Answer));
  const startedRole: Role = {
    call: async <Result>(name: string, argument?: unknown) =>
      (await calls.call(name, argument, (call) => child.send(call))) as Result,
    stop: () => stopProcess(child, exited),
    unref: () => {
      child.unref();
      child.channel?.unref();
    },
  };
  const start: RoleStart = { module, role, options };
  child.send(start);
  return whenStarted(startedRole);
}

/** Waits until the role's module has been loaded; ends it when that fails. */
async function whenStarted(role: Role): Promise<Role> {
  try {
    await role.call('started');
  } catch (error) {
    await role.stop();
    throw error;
  }
  return role;
}

async function stopProcess(child: ChildProcess, exited: Promise<void>): Promise<void> {
  // A role's host exits when it loses its channel.
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), exitTimeoutMs);
  await exited;
  clearTimeout(timer);
}
