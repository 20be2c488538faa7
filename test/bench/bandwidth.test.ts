import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runProgram } from '../support/run-program.js';

const program = 'dist/bench/bandwidth.js';

for (const transport of ['shm', 'tcp']) {
  test(`writes and reads of each size over ${transport} come out as CSV`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'heddle-bandwidth-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const csv = join(folder, 'bandwidth.csv');
    const words = ['--transport', transport, '--threads', '1', '--sizes', '12-14', '--milliseconds', '5', '--csv', csv];
    const { exitCode, stderr } = await runProgram(program, words);
    t.is(stderr, `Wrote 6 rows to ${csv}\n`);
    t.is(exitCode, 0);
    const [head, ...rows] = readFileSync(csv, 'utf8').trim().split('\n');
    t.is(head, 'transport,threads,direction,bytes,messages_per_second,mebibytes_per_second,latency_p50_micros');
    t.deepEqual(
      rows.map((row) => row.split(',').slice(0, 4).join()),
      ['write', 'read'].flatMap((direction) =>
        [4096, 8192, 16384].map((bytes) => `${transport},1,${direction},${bytes}`),
      ),
    );
    t.true(
      rows.every((row) =>
        row
          .split(',')
          .slice(4)
          .every((number) => Number(number) > 0),
      ),
    );
  });
}

test('wrong arguments are refused with the usage', async (t) => {
  for (const words of [
    ['--transport', 'pigeon'],
    ['--threads', '0'],
    ['--sizes', '9-6'],
    ['--milliseconds', '-1'],
    ['--x'],
  ]) {
    const { exitCode, stderr } = await runProgram(program, words);
    t.is(exitCode, 2, words.join(' '));
    t.regex(stderr, /usage: npm run bandwidth/);
  }
});
