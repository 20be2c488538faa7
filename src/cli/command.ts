/** Where a command writes. */
export interface CommandOutput {
  /** Writes a line of what was asked for. */
  out(line: string): void;
  /** Writes a line of what went wrong. */
  error(line: string): void;
}

/** One command of the `heddle` program. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of `heddle NAME --help`. */
  readonly help: string;
  /** Runs with the arguments after the command's name; resolves to the exit code. */
  run(args: readonly string[], output: CommandOutput): Promise<number>;
}

/** Exit codes, the same for all commands. */
export const exitCodes = {
  success: 0,
  /** The command ran and found or met a problem. */
  failure: 1,
  /** The command line was not understood; nothing was done. */
  usage: 2,
} as const;

/** The command line was not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
