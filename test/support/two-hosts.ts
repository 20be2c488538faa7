import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** For root this is enough; anybody else becomes root of a user namespace, where the system lets users have one. */
const isRoot = process.getuid?.() === 0;
const link = 'wire';
// In /sys programs find the interfaces of the namespace that it was mounted in, and UCX looks there.
const script = 'mount --make-rprivate /sys && mount -t sysfs sysfs /sys && echo here && exec cat > /dev/null';
// The kernel takes its time, and who looks at the interfaces before, as UCX does once, finds the link without its cable.
const waitForLink = `
  for try in $(seq 1000); do
    [ "$(cat /sys/class/net/${link}/operstate)" = up ] && exit 0
    sleep 0.02
  done
  exit 1`;

export type Host = 'left' | 'right';

/**
 * Two network namespaces with a link between them, which can go down and up again: as two hosts, as far as the network is
 * concerned. Each is held by a process, and gone when that and those started there are: nothing is left behind.
 */
export class TwoHosts {
  readonly addresses: Readonly<Record<Host, string>> = { left: '198.18.0.1', right: '198.18.0.2' };
  readonly #holders: Record<Host, ChildProcess>;
  readonly #programs: ChildProcess[] = [];

  /** @throws Error when the system grants no network namespaces */
  static async start(): Promise<TwoHosts> {
    const user = isRoot ? [] : ['--user', '--map-root-user'];
    const left = await hold('unshare', user);
    let right: ChildProcess | undefined;
    try {
      right = await hold('nsenter', [...entering(left), 'unshare']);
      const hosts = new TwoHosts(left, right);
      await hosts.#run(
        'left',
        'ip',
        'link',
        'add',
        link,
        'type',
        'veth',
        'peer',
        'name',
        link,
        'netns',
        `${right.pid}`,
      );
      for (const host of ['left', 'right'] as const) {
        await hosts.#run(host, 'ip', 'address', 'add', `${hosts.addresses[host]}/30`, 'dev', link);
        await hosts.#run(host, 'ip', 'link', 'set', link, 'up');
        await hosts.#run(host, 'ip', 'link', 'set', 'lo', 'up');
      }
      for (const host of ['left', 'right'] as const) await hosts.#run(host, 'sh', '-c', waitForLink);
      return hosts;
    } catch (error) {
      left.stdin?.end();
      right?.stdin?.end();
      throw error;
    }
  }

  private constructor(left: ChildProcess, right: ChildProcess) {
    this.#holders = { left, right };
  }

  /** Starts a script of the tests on one of the hosts, as `fork` would here. */
  start(host: Host, script: URL, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const words = [...entering(this.#holders[host]), process.execPath, fileURLToPath(script), ...args];
    const program = spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env });
    this.#programs.push(program);
    return program;
  }

  /** As if the cable was pulled out at that host, and put in again. */
  setLink(host: Host, state: 'down' | 'up'): Promise<void> {
    return this.#run(host, 'ip', 'link', 'set', link, state);
  }

  /** Ends both, and what runs there. */
  async close(): Promise<void> {
    const ended = [...this.#programs, ...Object.values(this.#holders)].map((child) => exitOf(child));
    for (const program of this.#programs) program.kill('SIGKILL');
    for (const holder of Object.values(this.#holders)) holder.stdin?.end();
    await Promise.all(ended);
  }

  async #run(host: Host, command: string, ...args: string[]): Promise<void> {
    await run('nsenter', [...entering(this.#holders[host]), command, ...args]);
  }
}

/** The words by which nsenter gets to where `holder` is. */
function entering(holder: ChildProcess): string[] {
  const user = isRoot ? [] : ['--user', '--preserve-credentials'];
  // The holder's root and folder, too: this process's root may be another than that of the namespace.
  return [...user, '--net', '--mount', '--root', '--wd', '--target', String(holder.pid)];
}

/** Starts a process in a network namespace of its own, and resolves when it is there. It ends with its standard input. */
async function hold(command: string, args: readonly string[]): Promise<ChildProcess> {
  // Of itself unshare makes all mounts private, which it cannot where the root is no mount, as in a chroot: /sys alone is.
  const words = [...args, '--net', '--mount', '--propagation', 'unchanged', 'sh', '-c', script];
  const holder = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const isThere = await Promise.race([
    once(holder.stdout, 'data').then(() => true),
    once(holder, 'exit').then(() => false),
  ]);
  if (!isThere) throw new Error(`the system grants no network namespaces: ${command} ${words.join(' ')}`);
  return holder;
}

async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
