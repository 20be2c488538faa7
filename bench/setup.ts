/** The command behind `npm run bench:setup`: installs what heddle is measured against, and sees that it loads. */
import { spawnSync } from 'node:child_process';
import { benchFolder, describeMissing, findProgram, program, requirePeer } from './harness/requirement.js';
import { cafRequirements, compileCaf } from './peers/caf.js';
import { compileErlang } from './peers/erlang.js';
import { redisRequirement } from './peers/redis-server.js';

const debianPackages = ['erlang-base', 'libcaf-dev', 'ucx-utils', 'wrk', 'nginx-light', 'redis-server'];
const debianRequirements = [
  program('erl', 'erlang-base'),
  program('erlc', 'erlang-base'),
  ...cafRequirements,
  program('ucx_perftest', 'ucx-utils'),
  program('wrk', 'wrk'),
  program('nginx', 'nginx-light'),
  redisRequirement,
];
const npmPeers = ['zeromq', '@grpc/grpc-js', 'nact', 'comlink', 'piscina', 'send'];

/** Runs a command with its output shown. Throws when it fails. */
function run(command: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  console.log(`> ${command} ${words.join(' ')}`);
  const { status, error } = spawnSync(command, words, {
    cwd: benchFolder,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${status}`);
}

function installNpmPeers(): void {
  // Nothing has to be compiled: zeromq's package brings its library for the usual systems, the others are JavaScript.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  for (const name of npmPeers) {
    try {
      requirePeer(name);
    } catch (error) {
      throw new Error(
        `${name} is installed but does not load here; for a system without a prebuilt library try ` +
          `"npm rebuild --foreground-scripts ${name}" in bench/ (a C++ compiler and cmake are needed)`,
        { cause: error },
      );
    }
  }
}

function installDebianPackages(): void {
  const missing = describeMissing(debianRequirements);
  if (missing === undefined) return;
  const packages = [...debianPackages, ...(findProgram('g++') === undefined ? ['g++'] : [])];
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined) {
    throw new Error(
      `these have to be installed by an administrator (${missing.replace(/: npm run.*/, '')}):\n` +
        `  sudo apt-get ${install.join(' ')}\n` +
        'Without them the npm peers are measured, the others are named as missing.',
    );
  }
  run('apt-get', ['update']);
  run('apt-get', install, { DEBIAN_FRONTEND: 'noninteractive' });
}

try {
  installNpmPeers();
  installDebianPackages();
  // Compiled now, so that no benchmark spends its time on it.
  await compileErlang();
  await compileCaf();
  console.log('All peers are installed.');
} catch (error) {
  console.error(`bench:setup: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Error && error.cause !== undefined) console.error(error.cause);
  process.exitCode = 1;
}
