import { posix } from 'node:path';

/**
 * The parts of src/, each with the parts that it may import. A path belongs to the first part whose name it starts
 * with. Files of one part may import each other.
 *
 * ```
 *   cli, index, testkit
 *       |
 *   cluster -> actors -> context -> session -> message -> memory -> transports/* -> errors, clock,
 *                           |          |                                           time-limits,
 *                           |          |                                           native-system
 *                           +-> observe <-+
 * ```
 *
 * An arrow also stands for every longer way along arrows, except to `observe`: that counts what contexts and sessions
 * do, and what lies below them knows nothing of it.
 */
const foundation = ['src/errors.ts', 'src/clock.ts', 'src/time-limits.ts', 'src/native-system.ts'];
const transportInterface = [...foundation, 'src/transports/'];
const transports = ['src/transports/shm/', 'src/transports/tcp/', 'src/transports/rdma/'];
const memory = [...transportInterface, ...transports, 'src/runtime/memory/'];
const message = [...memory, 'src/runtime/message/'];
const session = [...message, 'src/runtime/session/', 'src/runtime/observe/'];
const context = [...session, 'src/runtime/context/'];
const actors = [...context, 'src/runtime/actors/'];
const cluster = [...actors, 'src/runtime/cluster/'];

const parts: readonly { readonly name: string; readonly mayImport: readonly string[] }[] = [
  { name: 'src/errors.ts', mayImport: foundation },
  { name: 'src/clock.ts', mayImport: foundation },
  { name: 'src/time-limits.ts', mayImport: foundation },
  { name: 'src/native-system.ts', mayImport: foundation },
  ...transports.map((name) => ({ name, mayImport: [...transportInterface, name] })),
  { name: 'src/transports/', mayImport: transportInterface },
  { name: 'src/runtime/memory/', mayImport: memory },
  { name: 'src/runtime/message/', mayImport: message },
  { name: 'src/runtime/observe/', mayImport: [...foundation, 'src/runtime/observe/'] },
  { name: 'src/runtime/session/', mayImport: session },
  { name: 'src/runtime/context/', mayImport: context },
  { name: 'src/runtime/actors/', mayImport: actors },
  { name: 'src/runtime/cluster/', mayImport: cluster },
  { name: 'src/cli/', mayImport: [...cluster, 'src/cli/'] },
  { name: 'src/index.ts', mayImport: cluster },
  { name: 'src/testkit', mayImport: [...cluster, 'src/testkit'] },
];

function partOf(path: string): (typeof parts)[number] | undefined {
  return parts.find(({ name }) => path.startsWith(name));
}

/** What is wrong with an import of `imported` in `path`, both from the project's folder; undefined when nothing is. */
export function importProblem(path: string, imported: string): string | undefined {
  const from = partOf(path);
  if (from === undefined) return `${path} belongs to no known part of src/: add the part and its arrows`;
  const to = partOf(imported);
  if (to === undefined) return `${path} imports ${imported}, which belongs to no known part of src/`;
  if (from.mayImport.includes(to.name)) return undefined;
  return `${path} imports ${imported}, but ${from.name} may not import ${to.name}`;
}

/** The project's own source files that a source text names in imports, exports and URLs of modules. */
export function importedFiles(path: string, source: string): string[] {
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
    // A text that quotes code, in an error message say: the formatter keeps double quotes for texts that hold single ones.
    .replace(/"[^"\n]*'[^"\n]*"/g, '""');
  const specifiers = [
    ...code.matchAll(/\bfrom\s*(['"])(\.[^'"]*)\1/g),
    ...code.matchAll(/\bimport\s*\(?\s*(['"])(\.[^'"]*)\1/g),
    ...code.matchAll(/\bnew URL\(\s*(['"])(\.[^'"]*\.js)\1\s*,\s*import\.meta\.url/g),
  ].map((match) => match[2] as string);
  return specifiers.map((specifier) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts'));
}
