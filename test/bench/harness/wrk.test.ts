import test from 'ava';
import { readWrk } from '../../../bench/harness/wrk.js';

const output = `Running 1s test @ http://127.0.0.1:8080/file.bin
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   765.43us  104.30us   3.01ms   90.15%
  41223 requests in 1.10s, 48.12MB read
Requests/sec:  37489.31
Transfer/sec:     43.76MB
`;

test('requests and seconds are read from what wrk prints', (t) => {
  t.deepEqual(readWrk(output, 1024), { requests: 41_223, seconds: 1.1 });
});

test('answers that fail, are cut or do not come are no result', (t) => {
  t.throws(() => readWrk(`${output}  Non-2xx or 3xx responses: 4\n`, 1024), { message: /Non-2xx/ });
  t.throws(() => readWrk(`${output}  Socket errors: connect 0, read 3, write 0, timeout 0\n`, 1024), {
    message: /read 3/,
  });
  t.throws(() => readWrk(output, 2048), { message: /at least 2048 bytes/ });
  t.throws(() => readWrk('unable to connect', 1024), { message: /no result/ });
});
