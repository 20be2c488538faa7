import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { HeddleError } from '../../errors.js';

let onImported = () => {};

/** Has `listener` called whenever {@link importModule} has imported a module in this thread, or has failed to. */
export function afterImports(listener: () => void): void {
  onImported = listener;
}

/**
 * Imports a module of the user's in this thread. What Node.js cannot do with TypeScript rejects with
 * `ERR_HEDDLE_TYPESCRIPT`, which says what to do; everything else as the import did.
 */
export async function importModule(url: string): Promise<unknown> {
  try {
    return await import(url);
  } catch (cause) {
    throw typeScriptError(url, cause) ?? cause;
  } finally {
    onImported();
  }
}

/** Undefined when TypeScript has nothing to do with it. */
function typeScriptError(module: string, cause: unknown): HeddleError | undefined {
  const advice = adviceFor(cause as { code?: unknown; message?: unknown; url?: unknown });
  if (advice === undefined) return undefined;
  const { message } = cause as Error;
  return new HeddleError('ERR_HEDDLE_TYPESCRIPT', `${message.split('\n')[0]}: ${advice}`, {
    cause,
    details: { module, node: process.version },
  });
}

function adviceFor({ code, message, url }: { code?: unknown; message?: unknown; url?: unknown }): string | undefined {
  switch (code) {
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      if (/"\.[cm]?ts"/.test(String(message))) {
        return (
          `Node.js ${process.version} does not run TypeScript by itself: use 22.18 or newer (of 23: 23.6), compile it to ` +
          'JavaScript first, or start the program with a loader that serves worker threads as well (docs/modules.md has one)'
        );
      }
      return /"\.[jt]sx"/.test(String(message)) ? 'Node.js runs no JSX: compile it to JavaScript first' : undefined;
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'Node.js runs no TypeScript from node_modules: have that package publish JavaScript';
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
    case 'ERR_INVALID_TYPESCRIPT_SYNTAX':
      return (
        'Node.js only strips types, and runs nothing that needs more (enums, namespaces, parameter properties): ' +
        'erasableSyntaxOnly in tsconfig.json finds it; or compile it to JavaScript first'
      );
    case 'ERR_MODULE_NOT_FOUND': {
      const source = typeScriptBeside(url);
      return source === undefined
        ? undefined
        : `there is ${source}, however: without compiling, import it by that name`;
    }
    default:
      return undefined;
  }
}

/** The TypeScript file where a JavaScript file of that name was looked for. */
function typeScriptBeside(url: unknown): string | undefined {
  if (typeof url !== 'string' || !/^file:.*\.[cm]?js$/.test(url)) return undefined;
  const path = fileURLToPath(url.replace(/js$/, 'ts'));
  return existsSync(path) ? path : undefined;
}
