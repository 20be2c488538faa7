/**
 * Sees to it that the tools are there that tests start from the operating system. As root on a system with apt-get
 * it installs what is missing; elsewhere it says what to install, and fails: a test never skips itself for the lack
 * of a tool. Builds the native part when it is not current, but with `--packages-only`: before the npm packages are
 * there. Runs before every `npm test`, and takes milliseconds when nothing is missing.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { installMissing } from './install-packages.mjs';
import { systemPackages } from './system-packages.mjs';

installMissing('The tests', systemPackages);
if (!process.argv.includes('--packages-only') && !isNativeCurrent()) {
  const { status } = spawnSync(process.execPath, ['native/build.mjs'], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

/** Whether the native part is built, from the sources as they are. */
function isNativeCurrent() {
  const targets = readFileSync('native/binding.gyp', 'utf8').matchAll(/"target_name": "(\w+)"/g);
  const built = Array.from(
    targets,
    ([, name]) => statSync(`native/build/Release/${name}.node`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  const sources = readdirSync('native', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'build')
    .flatMap(({ name: folder }) => readdirSync(`native/${folder}`).map((name) => `native/${folder}/${name}`));
  return ['native/binding.gyp', ...sources].every((path) => statSync(path).mtimeMs <= Math.min(...built));
}
