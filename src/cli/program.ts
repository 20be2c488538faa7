import { readFileSync } from 'node:fs';
import { type Command, type CommandOutput, exitCodes, UsageError } from './command.js';
import { doctorCommand } from './doctor/doctor.js';

const commands: readonly Command[] = [doctorCommand];

/** Runs the `heddle` program with the arguments after its name and resolves to the exit code. */
export async function runProgram(args: readonly string[], output: CommandOutput): Promise<number> {
  const [first, ...rest] = args;
  if (first === '--help' || first === '-h' || first === 'help') {
    output.out(programHelp());
    return exitCodes.success;
  }
  if (first === '--version' || first === '-v') {
    output.out(packageVersion());
    return exitCodes.success;
  }

  const command = commands.find(({ name }) => name === first);
  if (command === undefined) {
    output.error(first === undefined ? 'heddle: no command given' : `heddle: there is no command ${first}`);
    output.error(programHelp());
    return exitCodes.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    output.out(command.help);
    return exitCodes.success;
  }
  try {
    return await command.run(rest, output);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.error(`heddle ${command.name}: ${error.message}`);
    output.error(command.help);
    return exitCodes.usage;
  }
}

/** The version of this package. */
export function packageVersion(): string {
  // Seen from dist/src/cli/, where this file runs.
  const description = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(description) as { version: string }).version;
}

function programHelp(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'Usage: heddle COMMAND [options]',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Options:',
    '  --help     this text; after a command, the text of that command',
    '  --version  the version of heddle',
  ].join('\n');
}
