import { HeddleError } from '../../../errors.js';
import { importModule } from '../../context/import-module.js';
import type { SharedBuffer } from '../../memory/shared-buffer.js';
import { whileImporting } from '../definition.js';

/** A function that can be offloaded: what it takes and returns is cloned as `postMessage` clones, or moved. */
// biome-ignore lint/suspicious/noExplicitAny: arguments are checked where functions are defined and called
export type OffloadFunction = (...args: any[]) => unknown;

/** Functions that a pool of threads runs: made by {@link defineFunctions}. */
export interface OffloadFunctions<F extends Readonly<Record<keyof F, OffloadFunction>>> {
  /** URL of the module that defines them: the pool's threads import it. */
  readonly module: string;
  /** The functions, to be called right here as well. */
  readonly functions: F;
}

/** What a function is called with: a SharedBuffer may stand for the bytes that it takes, and is not copied. */
export type OffloadArguments<F> = F extends (...args: infer P) => unknown
  ? { [I in keyof P]: P[I] | (Uint8Array extends P[I] ? SharedBuffer : never) }
  : never;

const modules = new Map<string, OffloadFunctions<Record<string, OffloadFunction>>>();

/**
 * Defines functions that actors have run on other threads, by `actor.offload`. Call it once, at the top level of a module that
 * does nothing else, with `import.meta.url`: the pool's threads import that module. They share no memory with it here
 * but SharedArrayBuffers.
 *
 * @example
 * export const hashing = defineFunctions(import.meta.url, {
 *   sha256: (data: Uint8Array) => createHash('sha256').update(data).digest('hex'),
 * });
 *
 * const hash = await actor.offload(hashing, 'sha256', [data]); // in a handler
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function defineFunctions<F extends Readonly<Record<keyof F, OffloadFunction>>>(
  module: string | URL,
  functions: F,
): OffloadFunctions<F> {
  const url = String(module);
  if (!URL.canParse(url)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `module=${url} is no URL: give import.meta.url`);
  }
  if (modules.has(url)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `module=${url} calls defineFunctions() twice`);
  }
  const wrong = Object.entries(functions).find(([, value]) => typeof value !== 'function');
  if (wrong !== undefined) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `module=${url} defines ${wrong[0]}, which is no function`);
  }
  const definition: OffloadFunctions<F> = { module: url, functions };
  modules.set(url, definition as never);
  return definition;
}

/** A function of a module, which is imported when it has not been. */
export async function loadFunction(module: string, name: string): Promise<OffloadFunction> {
  if (!modules.has(module)) await whileImporting(() => importModule(module));
  const functions = modules.get(module)?.functions;
  if (functions === undefined || !Object.hasOwn(functions, name)) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `module=${module} defines no function ${name}: call defineFunctions at its top level, with import.meta.url`,
    );
  }
  return functions[name] as OffloadFunction;
}
