import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { projectFolder } from '../support/project.js';
import type { ProgramEnd } from '../support/run-program.js';

/** Writes a user's project, where 'heddle' means this package; it is gone after the test. */
export async function makeProject(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(projectFolder, 'dist/project-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, code] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), code);
  }
  return folder;
}

/** Runs Node.js in a folder, and resolves when it has ended. */
export async function runNode(folder: string, ...args: string[]): Promise<ProgramEnd> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { exitCode, stdout, stderr };
}

/** An actor in TypeScript, at home in whatever file the URL that it is given says. */
export const counterIn = (url: string): string => `import { defineActor } from 'heddle';

interface Arguments {
  readonly start: number;
}

export const Counter = defineActor(${url}, {
  name: 'counter',
  state: (args: Arguments): { count: number } => ({ count: args.start }),
  handlers: {
    add(state: { count: number }, by: number): number {
      state.count += by;
      return state.count;
    },
    fail(): never {
      throw new TypeError('out of order');
    },
  },
});
`;

/** A program that spawns the counter in another thread. */
export const mainWith = (module: string): string => `import { createSystem } from 'heddle';
import { Counter } from '${module}';

const system = await createSystem({ contexts: 1 });
const counter = await system.spawn(Counter, { start: 40 });
console.log(await counter.ask('add', 2), counter.contextName);
await system.close();
`;
