/**
 * Deletes compiled files whose source is gone, so that neither a deleted test still runs nor a deleted module is
 * still found. The compiler only ever adds to dist/.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const output = join(root, 'dist');

if (existsSync(output)) {
  for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
    const compiled = /^(.*)\.(?:js|js\.map|d\.ts|d\.ts\.map)$/.exec(entry.name);
    if (!entry.isFile() || compiled === null) continue;
    const file = join(entry.parentPath, entry.name);
    const source = join(root, relative(output, entry.parentPath), `${compiled[1]}.ts`);
    if (!existsSync(source)) rmSync(file);
  }
}
