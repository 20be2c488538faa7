import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Runs a command in a process session of its own, passes its output on (unless `quiet`), keeps it, and ends whatever
 * the command left running.
 *
 * @returns {Promise<{ exitCode: number | null, output: string, leftovers: string[] }>} `exitCode` is null when a
 *   signal ended the command; `leftovers` names the processes that still ran when the command ended, or was ended
 *   because it took longer than `timeoutMs` or wrote nothing for `silenceMs`
 */
export function runCaptured(command, args, { env = process.env, timeoutMs, silenceMs = timeoutMs, quiet = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    const collect = (stream, target) => {
      stream.on('data', (chunk) => {
        chunks.push(chunk);
        silence.refresh();
        if (!quiet) target.write(chunk);
      });
    };
    collect(child.stdout, process.stdout);
    collect(child.stderr, process.stderr);

    const leftovers = new Map();
    const endSession = () => {
      for (const { pid, commandLine } of sessionProcesses(child.pid)) {
        leftovers.set(pid, commandLine);
        kill(pid);
      }
    };
    const giveUp = (reason) => {
      const text = `\nended: ${reason}\n`;
      chunks.push(Buffer.from(text));
      if (!quiet) process.stdout.write(text);
      endSession();
    };
    const deadline = setTimeout(() => giveUp(`still running after timeoutMs=${timeoutMs}`), timeoutMs);
    // A process left behind that holds a pipe of the command keeps some commands from ending: ava is one.
    const silence = setTimeout(() => giveUp(`wrote nothing for silenceMs=${silenceMs}`), silenceMs);
    const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of stopSignals) process.on(signal, endSession);
    const cleanUp = () => {
      clearTimeout(deadline);
      clearTimeout(silence);
      for (const signal of stopSignals) process.removeListener(signal, endSession);
    };

    child.on('error', (error) => {
      cleanUp();
      reject(error);
    });
    // Not 'close': that would wait for a process left behind which still holds the pipes.
    child.on('exit', (exitCode) => {
      endSession();
      // A process that moved to another session may still hold the pipes: do not wait for that one.
      const closing = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 5_000);
      child.once('close', () => {
        clearTimeout(closing);
        cleanUp();
        resolve({
          exitCode,
          output: Buffer.concat(chunks).toString('utf8'),
          leftovers: [...leftovers].map(([pid, commandLine]) => `${pid} ${commandLine}`),
        });
      });
    });
  });
}

/** The living processes of a session. Reads /proc, for a minimal system has no `ps`; elsewhere finds none. */
function sessionProcesses(sessionId) {
  const found = [];
  for (const name of listProc()) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command's name stands in parentheses and may hold anything; the fields after it are state, ppid, pgrp, session.
      const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(session) !== sessionId || state === 'Z' || state === 'X') continue;
      const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      found.push({ pid: Number(name), commandLine });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

function listProc() {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
