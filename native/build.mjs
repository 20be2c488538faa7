/**
 * Builds the binding to UCX with npm's own node-gyp and the headers that Node.js was installed with: nothing is
 * downloaded. As `npm run build:native` it fails when something is missing; as the install script, with `--if-possible`,
 * it says in one line what is, and lets the installation go on: heddle runs without it, only rdma:// does not.
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
if (missing !== undefined) {
  stop(
    `rdma:// is not built: ${missing}. To have it, as root: ${packages}; then npm run build:native in heddle's folder`,
  );
}
const nodeGyp = findNodeGyp();
const nodeFolder = findNodeFolder();
if (nodeGyp === undefined) stop('rdma:// is not built: npm brings no node-gyp here');
if (nodeFolder === undefined) {
  stop(
    `rdma:// is not built: no headers of Node.js beside ${process.execPath}; set nodedir to a folder with include/node`,
  );
}

const args = [nodeGyp, 'configure', 'build', `--nodedir=${nodeFolder}`, `--directory=${folder}`];
if (sanitizers !== undefined) args.push('--', `-Dsanitize=${sanitizers}`);
// Sanitized and plain objects do not mix.
if (sanitizers !== undefined || process.argv.includes('--clean')) args[1] = 'rebuild';
if (args[1] === 'rebuild') args.splice(2, 1);
const { status, error, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
if (status !== 0) {
  console.error(`${stdout ?? ''}${stderr ?? ''}`);
  stop(`rdma:// is not built: the compiler failed, see above (${error?.message ?? `exit code ${status}`})`);
}
console.log('rdma:// is built');

/** What of the system's tools and headers is not there. */
function findMissing() {
  if (process.platform !== 'linux') return `UCX does not run on ${process.platform}`;
  if (!runs('python3', ['--version'])) return 'python3 is missing';
  if (!runs('make', ['--version'])) return 'make is missing';
  if (!runs('g++', ['--version'])) return 'a C++ compiler is missing';
  if (!runs('g++', ['-E', '-x', 'c++', '-'], '#include <ucp/api/ucp.h>\n')) return "UCX's headers are missing";
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

function stop(message) {
  console.log(message);
  process.exit(mayFail ? 0 : 1);
}
