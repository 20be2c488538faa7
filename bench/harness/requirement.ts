/** What a peer needs to be installed, and where it is looked for. */
import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The bench folder of the sources: compiled code lies in dist/bench, the peers' packages do not. */
export const benchFolder = fileURLToPath(new URL('../../../bench/', import.meta.url));
/** The folder of heddle's own docs. */
export const docsFolder = fileURLToPath(new URL('../../../docs/', import.meta.url));
/** Where programs compiled from the peers' sources lie. */
export const cacheFolder = join(benchFolder, '.cache');

const requireFromBench = createRequire(join(benchFolder, 'package.json'));

/** One thing that has to be there before a peer can run. */
export interface Requirement {
  /** What is missing, in the words of the one who installs it. */
  readonly name: string;
  isThere(): boolean;
}

/** An npm package in bench/node_modules. */
export function npmPackage(name: string): Requirement {
  return {
    name: `npm package ${name}`,
    isThere: () => existsSync(join(benchFolder, 'node_modules', name, 'package.json')),
  };
}

/** A program on the PATH. */
export function program(command: string, debianPackage: string): Requirement {
  return { name: `${command} (Debian: ${debianPackage})`, isThere: () => findProgram(command) !== undefined };
}

/** A C or C++ header. */
export function header(path: string, debianPackage: string): Requirement {
  return {
    name: `${path} (Debian: ${debianPackage})`,
    isThere: () => ['/usr/include', '/usr/local/include'].some((folder) => existsSync(join(folder, path))),
  };
}

/** The native part of rdma://. */
export const nativeRdma: Requirement = {
  name: 'the native part of rdma:// (npm run build:native)',
  isThere: () => existsSync(join(benchFolder, '../native/build/Release/heddle_rdma.node')),
};

/** The full path of a program, or undefined when it is not on the PATH. */
export function findProgram(command: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Says what is missing and how to get it; undefined when nothing is. */
export function describeMissing(requirements: readonly Requirement[]): string | undefined {
  const missing = requirements.filter((requirement) => !requirement.isThere());
  if (missing.length === 0) return undefined;
  return `missing ${missing.map((requirement) => requirement.name).join(', ')}: npm run bench:setup`;
}

/** Loads an npm peer. Its types are the caller's to state: heddle compiles without the peers. */
export function requirePeer(name: string): unknown {
  return requireFromBench(name);
}

/** The path of an npm peer's entry point, for code that is loaded elsewhere. */
export function resolvePeer(name: string): string {
  return requireFromBench.resolve(name);
}
