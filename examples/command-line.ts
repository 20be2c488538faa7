import { type ParseArgsConfig, parseArgs } from 'node:util';
import { HeddleError } from 'heddle';

// What the programs of the services have in common: each says in a line what is wrong with what it was told.

/** The program was told something that it cannot do. */
export class UsageError extends Error {}

/**
 * Runs a program with the words of its command line, or prints `help`. What the user can mend ends it with a line that says
 * what: words that are not known, ports that are in use, folders that are not there. Anything else is a fault in the
 * program, and shows where.
 */
export async function runCommand<Config extends ParseArgsConfig>(
  help: string,
  config: Config,
  program: (args: ReturnType<typeof parseArgs<Config>>) => Promise<void>,
): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(help.trimEnd());
    return;
  }
  try {
    await program(parseArgs(config));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isUsage = error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS');
    // A signal has closed the system while it started: that ends the program.
    if (code === 'ERR_HEDDLE_CLOSED') throw error;
    if (!isUsage && !(error instanceof HeddleError) && typeof code !== 'string') throw error;
    console.error(isUsage ? `${message}\n\n${help.trimEnd()}` : message);
    // What was started before has nothing to do any more.
    process.exit(1);
  }
}

/** The whole number that an option says; throws {@link UsageError} when it is none, or outside of its bounds. */
export function integerOf(option: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
  throw new UsageError(`--${option}=${text}: a whole number from ${minimum} to ${maximum} is wanted`);
}

/** The URI of a portal; throws {@link UsageError} when it is of none of these schemes. */
export function portalOf(text: string, schemes: readonly string[]): string {
  if (schemes.some((scheme) => text.startsWith(`${scheme}://`))) return text;
  throw new UsageError(
    `${text}: a URI is wanted that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  );
}
