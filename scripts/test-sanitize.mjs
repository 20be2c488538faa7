/**
 * Runs the tests of the rdma transport with the binding built for AddressSanitizer and UndefinedBehaviorSanitizer:
 *
 *   npm run test:sanitize [-- compiled test files]
 *
 * The sanitized binding is built in a folder of its own. A finding ends the process that made it, and with it its test.
 * Leaks are not looked for: V8 and Node.js let the system free what they have at their end.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, '.cache/sanitize/native');
const binding = join(folder, 'build/Release/heddle_rdma.node');
const defaultTests = [
  'dist/test/transports/rdma/*.test.js',
  'dist/test/conformance/rdma.test.js',
  'dist/test/soak/churn.test.js',
];

mkdirSync(folder, { recursive: true });
cpSync(join(root, 'native'), folder, {
  recursive: true,
  filter: (path) => path !== join(root, 'native/build'),
});
const build = spawnSync(process.execPath, [join(folder, 'build.mjs'), '--sanitize=address,undefined'], {
  stdio: 'inherit',
});
if (build.status !== 0) process.exit(1);

// The sanitizer has to be there before anything else is loaded, and Node.js was not linked with it.
const library = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
const tests = process.argv.length > 2 ? process.argv.slice(2) : defaultTests;
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/ava/entrypoints/cli.mjs'), '--serial', '--timeout', '15m', ...tests],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      // Everything takes longer under the sanitizers: deadlines of the conformance suite are not what is tested.
      HEDDLE_TEST_TIMEOUT_MS: '300000',
      ...process.env,
      LD_PRELOAD: library,
      // What is freed is kept for a while, to find who uses it still: less than the memory that the churn may hold.
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:alloc_dealloc_mismatch=0:quarantine_size_mb=64',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      HEDDLE_RDMA_BINDING: binding,
    },
  },
);
process.exit(status ?? 1);
