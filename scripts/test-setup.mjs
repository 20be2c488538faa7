/**
 * Sees to it that the tools are there that tests start from the operating system. As root on a system with apt-get
 * it installs what is missing; elsewhere it says what to install, and fails: a test never skips itself for the lack
 * of a tool. Builds the native part when it is not current. Runs before every `npm test`, and takes milliseconds when nothing is missing.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { runs, systemPackages } from './system-packages.mjs';

const missing = systemPackages.filter((entry) => !entry.isPresent());
if (missing.length > 0) {
  for (const { name, purpose } of missing) console.log(`missing: ${name} (${purpose})`);
  const names = missing.map(({ name }) => name);

  const mayInstall = process.getuid?.() === 0 && runs('apt-get', ['--version']);
  if (!mayInstall) {
    const command = `apt-get install --no-install-recommends ${names.join(' ')}`;
    fail(`The tests need: ${names.join(', ')}. On Debian or Ubuntu run, as root: ${command}`);
  }

  console.log(`installing: ${names.join(' ')}`);
  aptGet('update');
  aptGet('install', '--yes', '--no-install-recommends', ...names);

  const stillMissing = systemPackages.filter((entry) => !entry.isPresent()).map(({ name }) => name);
  if (stillMissing.length > 0) fail(`apt-get installed them, and yet these do not run: ${stillMissing.join(', ')}`);
}

if (!isNativeCurrent()) {
  const { status } = spawnSync(process.execPath, ['native/build.mjs'], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

/** Whether the native part is built, from the sources as they are. */
function isNativeCurrent() {
  const built = ['heddle_doorbell', 'heddle_system', 'heddle_rdma'].map(
    (name) => statSync(`native/build/Release/${name}.node`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  const sources = ['doorbell', 'system', 'src'].flatMap((folder) =>
    readdirSync(`native/${folder}`).map((name) => `native/${folder}/${name}`),
  );
  return ['native/binding.gyp', ...sources].every((path) => statSync(path).mtimeMs <= Math.min(...built));
}

function aptGet(...args) {
  // A machine that has just started often holds the package lock for its own updates: wait for it, not for ever.
  const { status, error } = spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 15 * 60_000,
  });
  if (status !== 0) fail(`apt-get ${args[0]} failed: ${error?.message ?? `exit code ${status}`}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
