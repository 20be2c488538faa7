import { spawnSync } from 'node:child_process';
import { runs } from './system-packages.mjs';

/**
 * Sees to it that the packages are there that `who` needs. As root on a system with apt-get it installs what is missing;
 * elsewhere it says what to install, and ends the process with an error.
 */
export function installMissing(who, packages) {
  const missing = packages.filter((entry) => !entry.isPresent());
  if (missing.length === 0) return;
  for (const { name, purpose } of missing) console.log(`missing: ${name} (${purpose})`);
  const names = missing.map(({ name }) => name);

  const mayInstall = process.getuid?.() === 0 && runs('apt-get', ['--version']);
  if (!mayInstall) {
    const command = `apt-get install --no-install-recommends ${names.join(' ')}`;
    fail(
      `${who} need${who.endsWith('s') ? '' : 's'}: ${names.join(', ')}. On Debian or Ubuntu run, as root: ${command}`,
    );
  }

  console.log(`installing: ${names.join(' ')}`);
  updatePackageLists();
  aptGet('install', '--yes', '--no-install-recommends', ...names);

  const stillMissing = packages.filter((entry) => !entry.isPresent()).map(({ name }) => name);
  if (stillMissing.length > 0) fail(`apt-get installed them, and yet these do not run: ${stillMissing.join(', ')}`);
}

/** Learns which versions of packages there are now; ends the process with an error where that is not to be had. */
export function updatePackageLists() {
  aptGet('update');
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
