import { basename, extname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, HeddleError } from '../../errors.js';

/** The URL of a context's module, given as `new Worker` takes it. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function resolveModuleUrl(module: URL | string): string {
  if (module instanceof URL) return module.href;
  if (typeof module === 'string') {
    if (isAbsolute(module)) return pathToFileURL(module).href;
    if (/^\.\.?[/\\]/.test(module)) return pathToFileURL(resolve(module)).href;
    if (/^(file|data):/.test(module)) return module;
  }
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `a context's module must be a URL, an absolute path, or a path that starts with ./ or ../, not ${describe(module)}; ` +
      "use new URL('./module.js', import.meta.url)",
  );
}

/** The name of a context that was given none: its module's file name and its id, `server-3`. */
export function contextNameFor(moduleUrl: string, id: number): string {
  if (!moduleUrl.startsWith('file:')) return `context-${id}`;
  const fileName = decodeURIComponent(basename(new URL(moduleUrl).pathname));
  return `${basename(fileName, extname(fileName))}-${id}`;
}
