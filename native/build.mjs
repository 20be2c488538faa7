/**
 * Builds the native part with npm's own node-gyp and the headers that Node.js was installed with: nothing is downloaded.
 * The doorbell between threads needs a compiler alone, the binding to UCX also UCX's headers.
 * As `npm run build:native` it fails when something is missing; as the install script, with `--if-possible`, it says in one
 * line what is, and lets the installation go on: heddle runs without, only rdma:// does not, and threads wake each other
 * through message ports.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const mayFail = process.argv.includes('--if-possible');
const sanitizers = process.argv.find((word) => word.startsWith('--sanitize='))?.slice('--sanitize='.length);
const packages = 'apt-get install libucx-dev g++ make python3';

const missing = findMissing();
if (missing !== undefined) stop(notBuilt('the native part', missing));
const hasUcx = runs('g++', ['-E', '-x', 'c++', '-'], '#include <ucp/api/ucp.h>\n');
if (!hasUcx && !mayFail) stop(notBuilt('rdma://', "UCX's headers are missing"));
const nodeGyp = findNodeGyp();
const nodeFolder = findNodeFolder();
if (nodeGyp === undefined) stop('the native part is not built: npm brings no node-gyp here');
if (nodeFolder === undefined) {
  stop(
    `the native part is not built: no headers of Node.js beside ${process.execPath}; set nodedir to a folder with include/node`,
  );
}

const args = [nodeGyp, 'configure', 'build', `--nodedir=${nodeFolder}`, `--directory=${folder}`];
// Sanitized and plain objects do not mix.
if (sanitizers !== undefined || process.argv.includes('--clean')) args[1] = 'rebuild';
if (args[1] === 'rebuild') args.splice(2, 1);
const definitions = [`with_ucx=${hasUcx ? 1 : 0}`, ...(sanitizers === undefined ? [] : [`sanitize=${sanitizers}`])];
const { status, error, stdout, stderr } = spawnSync(process.execPath, args, {
  cwd: folder,
  encoding: 'utf8',
  env: { ...process.env, GYP_DEFINES: definitions.join(' ') },
});
if (status !== 0) {
  console.error(`${stdout ?? ''}${stderr ?? ''}`);
  stop(`the native part is not built: the compiler failed, see above (${error?.message ?? `exit code ${status}`})`);
}
console.log(hasUcx ? 'the native part is built' : notBuilt('rdma://', "UCX's headers are missing"));

/** What of the system's tools and headers is not there. */
function findMissing() {
  if (process.platform !== 'linux') return `it is for Linux, and this is ${process.platform}`;
  if (!runs('python3', ['--version'])) return 'python3 is missing';
  if (!runs('make', ['--version'])) return 'make is missing';
  if (!runs('g++', ['--version'])) return 'a C++ compiler is missing';
  return undefined;
}

/** npm tells its scripts where its own node-gyp is. Started by hand, it is looked for beside npm. */
function findNodeGyp() {
  const fromNpm = process.env.npm_config_node_gyp;
  if (fromNpm !== undefined && existsSync(fromNpm)) return fromNpm;
  const candidates = [
    join(
      dirname(process.execPath),
      '..',
      'lib',
      'node_modules',
      'npm',
      'node_modules',
      'node-gyp',
      'bin',
      'node-gyp.js',
    ),
    '/usr/share/nodejs/node-gyp/bin/node-gyp.js',
  ];
  try {
    candidates.push(createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js'));
  } catch {
    // Nobody installed it for itself.
  }
  return candidates.find((path) => existsSync(path));
}

function findNodeFolder() {
  const candidates = [process.env.npm_config_nodedir, join(dirname(process.execPath), '..')];
  return candidates.find((path) => path && existsSync(join(path, 'include', 'node', 'node_api.h')));
}

function runs(command, args, input = '') {
  return spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'], timeout: 60_000 }).status === 0;
}

function notBuilt(what, why) {
  return `${what} is not built: ${why}. To have it, as root: ${packages}; then npm run build:native in heddle's folder`;
}

function stop(message) {
  console.log(message);
  process.exit(mayFail ? 0 : 1);
}
