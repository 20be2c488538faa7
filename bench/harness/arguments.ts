/** What the command line asks for. */
export interface BenchArguments {
  /** The benchmarks to run; empty for all. */
  readonly ids: readonly string[];
  /** Where the JSON lines go. */
  readonly jsonFile: string | undefined;
  readonly quick: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** A command line that cannot be followed; the message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const helpText = `usage: npm run bench -- [ID|GROUP...] [--json FILE] [--quick]

Measures heddle side by side with what one would use instead. Without an ID, all benchmarks run,
and docs/benchmarks.svg and docs/benchmarks.md are written anew.

  ID           a benchmark; --list shows them
  GROUP        all benchmarks whose ids begin with GROUP/
  --json FILE  write one JSON object a line to FILE, for each benchmark and peer
  --quick      fewer and shorter runs: at most 20 s for a benchmark; no docs are written
  --list       list the benchmarks and their peers
  --help       show this text

Peers are installed by: npm run bench:setup
`;

/** A word that is no id may be the group of several: `seeds` stands for `seeds/web-cache` and the others. */
function idsNamedBy(word: string, knownIds: readonly string[]): readonly string[] {
  if (knownIds.includes(word)) return [word];
  const group = knownIds.filter((id) => id.startsWith(`${word}/`));
  return group.length > 0 ? group : [word];
}

/** Reads the command line. Throws {@link UsageError} for what it does not understand, unknown ids included. */
export function parseArguments(words: readonly string[], knownIds: readonly string[]): BenchArguments {
  const ids: string[] = [];
  let jsonFile: string | undefined;
  let quick = false;
  let list = false;
  let help = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--quick') quick = true;
    else if (word === '--list') list = true;
    else if (word === '--help' || word === '-h') help = true;
    else if (word === '--json') jsonFile = requireFile(words[++i]);
    else if (word.startsWith('--json=')) jsonFile = requireFile(word.slice('--json='.length));
    else if (word.startsWith('-')) throw new UsageError(`unknown option ${word}\n\n${helpText}`);
    else ids.push(...idsNamedBy(word, knownIds).filter((id) => !ids.includes(id)));
  }
  const unknown = ids.filter((id) => !knownIds.includes(id));
  if (unknown.length > 0) {
    const known = knownIds.map((id) => `  ${id}`).join('\n');
    throw new UsageError(`no benchmark is named ${unknown.join(', ')}; there are\n${known}`);
  }
  return { ids, jsonFile, quick, list, help };
}

function requireFile(word: string | undefined): string {
  if (word === undefined || word === '' || word.startsWith('--'))
    throw new UsageError('--json needs the name of a file');
  return word;
}
