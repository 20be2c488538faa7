import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where kernels are kept, and the runs of guests while they last. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'heddle-verbs-lab');

/**
 * A new folder in the cache, for as long as this process lasts at the most. Those of processes that were killed before
 * they could remove theirs go now.
 */
export function makeOwnFolder(purpose) {
  mkdirSync(cacheFolder, { recursive: true });
  for (const name of readdirSync(cacheFolder)) {
    const owner = /^own-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner)))
      rmSync(join(cacheFolder, name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(cacheFolder, `own-${process.pid}-${purpose}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
