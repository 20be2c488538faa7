import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, seen from dist/test/support/, where this file runs. */
export const projectFolder = fileURLToPath(new URL('../../../', import.meta.url));

/** Paths of all files below a folder of the project, from the project's folder, with `/`, sorted. */
export function projectFiles(folder: string): string[] {
  return readdirSync(join(projectFolder, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(projectFolder.length).split(sep).join('/'))
    .sort();
}

/** The text of a file of the project. */
export function readProjectFile(path: string): string {
  return readFileSync(join(projectFolder, path), 'utf8');
}
