import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeOwnFolder } from './own-folder.mjs';

const guestFolder = new URL('./guest/', import.meta.url);
const pollMs = 100;
const variablesOfTheGuest = new Set(['PATH', 'HOME', 'PWD', 'OLDPWD', 'SHLVL', '_', 'TMPDIR']);

/**
 * Boots one or two guests, runs `command` in each, and resolves to how it ended: each guest's exit code and the counters of
 * its RDMA device before and after. Output is passed on as it comes. No guest is left when the promise settles.
 *
 * @param kernel what `prepareKernel` has returned
 * @param run command (bash), guests (1 or 2), netem (what tc takes, for both), memoryMiB, timeoutMs, environment, mayReset
 *   (a guest that resets its machine starts again, and runs the command again, with BOOT=2)
 */
export async function runGuests(
  kernel,
  { command, guests = 1, netem = '', memoryMiB = 3072, timeoutMs, environment = {}, mayReset = false },
) {
  const folder = makeOwnFolder('run');
  const lab = join(folder, 'lab');
  mkdirSync(join(lab, 'bin'), { recursive: true });
  copyFileSync(fileURLToPath(new URL('start.sh', guestFolder)), join(lab, 'start.sh'));
  copyFileSync(fileURLToPath(new URL('lab-barrier', guestFolder)), join(lab, 'bin/lab-barrier'));
  writeFileSync(join(lab, 'command'), `${command}\n`);
  const node = `export PATH=/lab/bin:${quote(join(process.execPath, '..'))}:$PATH\n`;
  writeFileSync(join(lab, 'environment'), node + Object.entries(environment).map(assignment).join(''));
  const settings = { GUESTS: guests, NETEM: netem, FOLDER: process.cwd(), MODULES: kernel.modules };
  writeFileSync(
    join(lab, 'settings'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${quote(String(value))}\n`)
      .join(''),
  );

  const processes = [];
  const follower = new Follower(lab, guests);
  try {
    for (let guest = 0; guest < guests; guest++) {
      processes.push(await boot(kernel, { folder, guest, guests, memoryMiB, mayReset }));
    }
    const exitCodes = () => processes.map((_, guest) => exitCodeOf(lab, guest));
    const deadline = Date.now() + timeoutMs;
    let problem;
    for (let codes = exitCodes(); codes.includes(undefined) && problem === undefined; codes = exitCodes()) {
      const failed = codes.findIndex((code) => code > 0);
      if (Date.now() > deadline) problem = `the time limit of ${timeoutMs / 1000} s has passed`;
      // The other one may wait for it for ever.
      else if (failed >= 0) problem = `the command of guest ${failed} ended with exit code ${codes[failed]}`;
      // A guest that has ended writes its exit code first.
      else if (processes.some(hasEnded) && exitCodes().includes(undefined))
        problem = 'a guest did not come up, or died';
      else await delay(pollMs);
      follower.passOn();
    }
    follower.passOn();
    if (problem !== undefined) {
      for (let guest = 0; guest < guests; guest++) {
        console.error(
          `--- guest ${guest}, the end of its console:\n${lastLines(join(folder, `console.${guest}`), 25)}`,
        );
        console.error(lastLines(join(folder, `qemu.${guest}`), 5));
      }
    }
    return { problem, exitCodes: exitCodes(), counters: processes.map((_, guest) => countersOf(lab, guest)) };
  } finally {
    await Promise.all(processes.map(end));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One guest: emulated, as no KVM can be relied on. It is right, and slow: no time measured in it means anything. */
async function boot(kernel, { folder, guest, guests, memoryMiB, mayReset }) {
  const socket = join(folder, 'net');
  let wire = 'hubport,hubid=1';
  if (guests === 2) {
    wire = `stream,server=${guest === 0 ? 'on' : 'off'},addr.type=unix,addr.path=${socket}`;
    for (let wait = 0; guest === 1 && !existsSync(socket); wait++) {
      if (wait === 100) throw new Error('the first guest does not start: see above');
      await delay(pollMs);
    }
  }
  // A guest with one processor and no second socket loses interrupts now and then in qemu before 8.1, which leaves its
  // memory barriers out. Two processes that poll on one processor cost each other milliseconds: hence two for one guest.
  const processors = guests === 2 ? '1,maxcpus=2' : '2';
  const share = (tag, path, more) => [
    ...['-fsdev', `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
  // A machine that is busy elsewhere delivers a guest's first timer interrupts too late for the kernel's check of them,
  // which then panics: it is told not to look.
  const parameters = [
    'console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on net.ifnames=0 no_timer_check',
    `lab.guest=${guest}`,
  ];
  const args = [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'Nehalem', '-smp', processors, '-m', String(memoryMiB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', ...(mayReset ? [] : ['-no-reboot'])],
    ...['-kernel', kernel.image, '-initrd', kernel.initrd, '-append', parameters.join(' ')],
    ...['-serial', `file:${join(folder, `console.${guest}`)}`],
    ...share('root', '/', ',readonly=on'),
    ...share('lab', join(folder, 'lab'), ''),
    ...['-netdev', `${wire},id=wire`],
    ...['-device', `virtio-net-pci,netdev=wire,mac=52:54:00:77:00:0${guest + 1},romfile=`],
    ...['-device', 'virtio-rng-pci'],
  ];
  const log = join(folder, `qemu.${guest}`);
  // The shell makes qemu's end follow this process's, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (data) => writeFileSync(log, data, { flag: 'a' }));
  await once(child, 'spawn');
  return child;
}

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

/** Waits a little for a guest to end by itself, then ends it. */
async function end(child) {
  for (let wait = 0; wait < 20 && !hasEnded(child); wait++) await delay(pollMs);
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Passes on what guests write, each line with its guest's number where there are two. */
class Follower {
  #files;

  constructor(lab, guests) {
    this.#files = [];
    for (let guest = 0; guest < guests; guest++) {
      const prefix = guests === 1 ? '' : `[${guest}] `;
      for (const [name, stream] of [
        ['stdout', process.stdout],
        ['stderr', process.stderr],
      ]) {
        this.#files.push({ path: join(lab, `${name}.${guest}`), stream, prefix, read: 0, rest: '' });
      }
    }
  }

  passOn() {
    for (const file of this.#files) {
      if (!existsSync(file.path)) continue;
      const { size } = statSync(file.path);
      if (size <= file.read) continue;
      const text = file.rest + readFileSync(file.path).subarray(file.read).toString();
      file.read = size;
      const lines = text.split('\n');
      file.rest = lines.pop();
      for (const line of lines) file.stream.write(`${file.prefix}${line}\n`);
    }
  }
}

/** The exit code of a guest's command; undefined while it runs. */
function exitCodeOf(lab, guest) {
  const path = join(lab, `exit.${guest}`);
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined;
}

/** What the device's counters were before and after: by name. */
function countersOf(lab, guest) {
  const counters = {};
  for (const when of ['before', 'after']) {
    const path = join(lab, `counters.${when}.${guest}`);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const [, name, count] of text.matchAll(/^(\w+):(\d+)$/gm)) {
      counters[name] ??= { before: 0, after: 0 };
      counters[name][when] = Number(count);
    }
  }
  return counters;
}

function lastLines(path, count) {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-count).join('\n') : '';
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function assignment([name, value]) {
  return variablesOfTheGuest.has(name) ? '' : `export ${name}=${quote(value)}\n`;
}
