import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createNode, type Server } from '../../src/index.js';
import {
  type Command,
  contextOptions,
  controlPort,
  keepalive,
  mebibyte,
  serviceUri,
  sleeperUri,
  ventureMs,
} from './terms.js';

/** Guest 0: a service in a process of its own, and what sees to it that this, or the host, fails when it should. */

const { IP, INTERFACE = 'eth0', NETEM = '' } = process.env;
/** How long the host is not heard of: longer than keepalive waits. */
const outageMs = 14_000;

/** The service: a process of its own, that can be killed. */
export async function serve(): Promise<void> {
  const { context } = createNode({ contextOptions });
  const region = context.exportRegion(context.allocate(mebibyte), { rights: ['read', 'write', 'atomics'] });
  region.bytes.fill(0);
  let received = 0;
  let isInOrder = true;
  let server: Server | undefined;
  const listen = async () => {
    server = await context.listen(serviceUri, {
      options: { ...keepalive, reconnectTimeoutMs: 60_000 },
      requireRdmaDevice: true,
      onMessage: (message) => {
        if (message.data.readInt32LE(0) !== received++) isInOrder = false;
      },
      onRequest: (message) => {
        const question = message.value as unknown;
        if (question === 'region') return region.handle;
        if (question === 'order') return { received, isInOrder };
        if (question === 'never') {
          message.keep();
          return undefined;
        }
        if (question === 'restart') void server!.close().then(listen);
        return message.value;
      },
    });
    return server.uri;
  };
  await listen();
  // Its keepalive is the default one, which lets a minute pass before anything but a message wakes a context.
  await context.listen(sleeperUri, { requireRdmaDevice: true, onRequest: (message) => message.value });
  console.log('listening');
}

/** What becomes of the packets that leave. */
function traffic(...discipline: string[]): void {
  execFileSync('tc', ['qdisc', 'replace', 'dev', INTERFACE, 'root', ...discipline]);
}

function link(state: 'up' | 'down'): void {
  execFileSync('ip', ['link', 'set', 'dev', INTERFACE, state]);
}

/** Lets the asking side have its answer before `begin`; `end` follows after the outage. */
function outage(begin: () => void, end: () => void): void {
  setTimeout(begin, ventureMs);
  setTimeout(end, ventureMs + outageMs);
}

/** Does what guest 1 asks for, until it says that this is all. */
export async function supervise(): Promise<void> {
  let service: ChildProcess | undefined;
  const commands: Record<Command, () => Promise<void>> = {
    start: async () => {
      service = spawn(process.execPath, [fileURLToPath(new URL('./two-hosts.js', import.meta.url)), 'serve'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const line of createInterface(service.stdout!)) if (line.startsWith('listening')) return;
      throw new Error('the service does not start');
    },
    kill: async () => {
      const exited = once(service!, 'exit');
      service!.kill('SIGKILL');
      await exited;
    },
    // No FIN, no RST, no packet leaves, as if the host had lost its power.
    silence: async () =>
      outage(
        () => traffic('netem', 'loss', '100%'),
        () => (NETEM === '' ? traffic('pfifo') : traffic('netem', 'limit', '10000', ...NETEM.split(' '))),
      ),
    unplug: async () =>
      outage(
        () => link('down'),
        () => link('up'),
      ),
    // The machine starts anew in the same instant: nothing that runs, the kernel neither, can say goodbye.
    reset: async () => {
      setTimeout(() => writeFileSync('/proc/sysrq-trigger', 'b'), ventureMs);
    },
    end: async () => {
      service?.kill('SIGKILL');
      setTimeout(() => process.exit(0), ventureMs);
    },
  };
  const control = createServer(async (socket) => {
    socket.on('error', () => {});
    for await (const line of createInterface(socket)) {
      await commands[line as Command]();
      socket.write('done\n');
    }
  });
  control.listen(controlPort, IP);
  await once(control, 'listening');
}
