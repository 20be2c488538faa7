import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { projectFiles, projectFolder, readProjectFile } from './support/project.js';
import { runProgram } from './support/run-program.js';

/** What each example says, on either transport. A new example needs an entry. */
const outputs: Record<string, readonly (string | RegExp)[]> = {
  hello: ['Hello, world!', 'Hello, warp!', 'Hello, weft!', /^answered by hello-server-\d+ at (shm|tcp|rdma):\/\//m],
  'multi-threaded-hello': [
    /leads to 2 server contexts/,
    /client-3 was served by server-[01]: [\d,]+ requests a second/,
    /^8,000 messages in [\d.]+ s: [\d,]+ messages a second$/m,
    'server-0 answered 2,000 requests',
    'server-1 answered 2,000 requests',
    'all sessions are closed, all threads have ended',
  ],
  counter: [
    'apples: 1000, counted in worker-1',
    'pears: 1100, counted in worker-2',
    'plums: 1200, counted in worker-1',
    'a counter failed (restart): RemoteError: TypeError: cannot add 0.5',
    'refused: TypeError: cannot add 0.5',
    'after its restart: 0 apples',
  ],
  pipeline: [
    /^the source paused for a busy worker: \d+ times$/m,
    '20000 jobs found 702400 primes',
    /^worker@worker-1\/\S+: 5000 jobs, never more than \d{1,4} waiting$/m,
  ],
  'order-workflow': [
    /^A-1: open, paying, waitingForTheBank, .*shipping, shipping \(try 2\), shipped/m,
    'A-1: paid, A-1 on truck 2',
    /^B-2: open, paying, .*cancelled/m,
    'B-2: not paid, not shipped',
  ],
  gallery: ['3 images were added', 'these look alike: barcode, photo of the barcode'],
  'both-sides': ['the other side found 42 by asking us 7 times'],
  'two-processes': [
    'Hello, world!',
    'Hello, weft!',
    /^answered by (a thread of this|another) process$/m,
    /^the service is at \S+/m,
  ],
  'shared-counter': [
    /^shared-counter-client-\d+ counted 2000 times by way of (memory|records|rdma), [\d,]+ a second$/m,
    'the counter is at 6000',
    'the lock was free: yes',
    'and is taken now: yes',
    'the owner was asked 4 times',
  ],
  'file-copy': [
    /^\[#{7}\.{23}\] {2}25 % {2}\d+ MB\/s by (shm shm|tcp tcp|rdma \w+ \S+)/m,
    /^\[#{30}\] 100 % {2}\d+ MB\/s by (shm|tcp|rdma)/m,
    'the copy is the same: yes',
  ],
  receipts: ['a letter: accepted', 'an advertisement: refused', '1000 receipts for a batch of 1000 letters'],
  'scatter-gather': ["255 pieces arrived, with the header '255 pieces of 1 KiB'", 'each with its length and its bytes'],
  'large-buffer': ['the image that was sent is ours no more', '16777216 bytes came back', 'its pixels are painted'],
  'remote-files': [
    'wrote 8388608 bytes in 128 blocks, 32 in flight',
    'read them back, 32 in flight: the same bytes',
    'refused: Error: file 1 is not open',
    'refused: Error: ../../etc/passwd lies outside of the folder that is served',
    'refused: Error: ENOENT',
  ],
  'external-loop': [/^1000 readings in \d+ frames, their sum is 500500$/m],
  'options-and-statistics': [
    'the square of 22 is 484',
    'polls for 0 µs before it sleeps',
    'it has received 500 requests, ',
    ' 250 even',
    'stalled for want of credits: yes',
  ],
};
/** What comes behind the URI, where the example's own numbers are for people to watch. */
const furtherArguments: Record<string, readonly string[]> = { 'multi-threaded-hello': ['1000'] };

const files = projectFiles('examples').filter((path) => path.endsWith('.ts'));
const examples = files
  .filter((path) => path.split('/').length === 2 && readProjectFile(path).startsWith('/**'))
  .map((path) => path.slice('examples/'.length, -'.ts'.length));
/** A service has a folder of its own, with a main file, a README, and tests of its own. */
const services = [...new Set(files.filter((path) => path.split('/').length > 2).map((path) => path.split('/')[1]!))];

test('every example is known here', (t) => {
  t.deepEqual(examples, Object.keys(outputs).sort());
});

for (const name of Object.keys(outputs)) {
  for (const uri of ['shm://examples', 'tcp://127.0.0.1:0', 'rdma://127.0.0.1:0']) {
    test(`${name} over ${uri.split(':')[0]}`, async (t) => {
      const script = join('dist/examples', `${name}.js`);
      const { exitCode, stdout, stderr } = await runProgram(script, [uri, ...(furtherArguments[name] ?? [])]);
      t.is(stderr, '', 'an example warns of nothing, and leaks nothing');
      for (const expected of outputs[name]!) {
        if (typeof expected === 'string') t.true(stdout.includes(expected), `'${expected}' is missing in: ${stdout}`);
        else t.regex(stdout, expected);
      }
      t.is(exitCode, 0);
    });
  }
}

for (const name of services) {
  test(`the service ${name} can be run, says how, and is tested`, async (t) => {
    t.true(readProjectFile(`examples/${name}/main.ts`).startsWith('/**'));
    t.true(readProjectFile(`examples/${name}/README.md`).includes(`npm run example -- ${name}`));
    t.true(projectFiles(`test/examples/${name}`).some((path) => path.endsWith('.test.ts')));
    const help = await runProgram(`dist/examples/${name}/main.js`, ['--help']);
    t.is(help.exitCode, 0);
    t.true(help.stdout.includes(`npm run example -- ${name}`));
    const misled = await runProgram(`dist/examples/${name}/main.js`, ['--no-such-option']);
    t.is(misled.exitCode, 1);
    t.true(misled.stderr.includes("Unknown option '--no-such-option'"), misled.stderr);
    t.true(misled.stderr.includes(`npm run example -- ${name}`), 'says what it can be told');
    t.notRegex(misled.stderr, /^ +at /m, 'no stack');
  });
}

test('examples import heddle as their reader would', (t) => {
  for (const path of files) {
    const imports = [...readProjectFile(path).matchAll(/from '([^']+)'/g)].map((match) => match[1] as string);
    t.deepEqual(
      imports.filter(
        (name) =>
          name !== 'heddle' &&
          name !== 'xstate' &&
          !name.startsWith('node:') &&
          !/^\.(\.(\/[\w-]+)?)?\/[\w-]+\.js$/.test(name),
      ),
      [],
      path,
    );
  }
});

test('npm run example lists the examples, runs one, and refuses a name that it does not know', async (t) => {
  const list = await runProgram('scripts/example.mjs');
  t.is(list.exitCode, 0);
  for (const name of [...examples, ...services]) t.regex(list.stdout, new RegExp(`^  ${name} +\\S.*\\.$`, 'm'));

  const hello = await runProgram('scripts/example.mjs', ['hello']);
  t.is(hello.exitCode, 0);
  t.true(hello.stdout.includes('Hello, world!'));

  const unknown = await runProgram('scripts/example.mjs', ['helo']);
  t.is(unknown.exitCode, 1);
  t.true(unknown.stderr.includes('there is no example helo'));
});

for (const [words, says] of [
  [['hello', 'tpc://localhost:7001'], /^hello: uri=tpc:\/\/localhost:7001 names no transport/],
  [['hello', 'tcp://localhost'], /^hello: write tcp:\/\/host:port/],
  [['multi-threaded-hello', 'shm://hello', 'many'], /^multi-threaded-hello: many: the number of requests/],
  [['multi-threaded-hello', 'shm://hello', '0'], /^multi-threaded-hello: 0: the number of requests/],
] as const) {
  test(`npm run example ends with a line and the usage where it is told nonsense: ${words.join(' ')}`, async (t) => {
    const { exitCode, stdout, stderr } = await runProgram('scripts/example.mjs', words);
    t.is(exitCode, 1);
    t.is(stdout, '');
    t.regex(stderr, says);
    t.true(stderr.includes(`\n\nnpm run example -- ${words[0]} [uri]`), stderr);
    t.notRegex(stderr, /^ +at /m, 'no stack');
  });
}

test('npm start is an example, and npm run example says of each what it is', async (t) => {
  const { scripts } = JSON.parse(readProjectFile('package.json')) as { scripts: Record<string, string> };
  t.regex(scripts.start ?? '', /node scripts\/example\.mjs multi-threaded-hello$/);
  const { exitCode, stdout } = await runProgram('scripts/example.mjs', ['multi-threaded-hello', '--help']);
  t.is(exitCode, 0);
  t.regex(stdout, /^A service on several threads.*\n\nnpm run example -- multi-threaded-hello \[uri\]/);
});

test('every example is compiled', (t) => {
  const compiled = readdirSync(join(projectFolder, 'dist/examples'));
  for (const name of examples) t.true(compiled.includes(`${name}.js`), name);
});
