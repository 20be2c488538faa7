import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { projectFolder } from './project.js';

/** What a program left behind when it ended. */
export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs of one test file that run at a time: all at once would keep a small machine from ending any within its time. */
const maximumRunning = 4;
const turns: (() => void)[] = [];
let running = 0;

/**
 * Runs a script of the project in a Node.js process of its own, with `environment` added to this one's, and resolves when
 * that has ended. It waits for its turn where others of the same test file run.
 */
export async function runProgram(
  script: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> {
  if (running === maximumRunning) await new Promise<void>((resolve) => turns.push(resolve));
  else running++;
  try {
    return await run(script, args, environment);
  } finally {
    const next = turns.shift();
    if (next === undefined) running--;
    else next();
  }
}

async function run(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ProgramEnd> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: { ...process.env, ...environment },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { exitCode, stdout, stderr };
}
