import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { projectFolder } from '../../support/project.js';

// biome-ignore lint/suspicious/noExplicitAny: whatever the answer is
type Answer = { status: number; body: any; headers: NodeJS.Dict<string | string[]> };

async function startApi(t: ExecutionContext) {
  const api = spawn(process.execPath, ['dist/examples/http-api/main.js', '--port', '0', '--contexts', '2'], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(api, 'exit');
  const lines: string[] = [];
  const reader = createInterface({ input: api.stdout });
  const ready = new Promise<string>((resolve) => {
    reader.on('line', (line) => {
      lines.push(line);
      const url = /^serving at (\S+), /.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  t.teardown(() => {
    agent.destroy();
    api.kill('SIGKILL');
  });
  const url = await ready;
  const call = (method: string, path: string, body?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}${path}`, { method, agent }, (response) => {
        text(response).then((json) => {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(json), headers: response.headers });
        }, reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return { api, ended, lines, call };
}

test('under load every item ends with the sum of what was added, wherever it lives', async (t) => {
  const { call } = await startApi(t);
  const items = Array.from({ length: 40 }, (_, number) => `item-${number}`);
  const rounds = 50;
  const answers = await Promise.all(
    items.flatMap((item, number) =>
      Array.from({ length: rounds }, () => call('POST', `/items/${item}`, JSON.stringify({ by: number + 1 }))),
    ),
  );
  t.true(answers.every(({ status }) => status === 200));
  for (const [number, item] of items.entries()) {
    t.deepEqual((await call('GET', `/items/${item}`)).body, { id: item, count: rounds * (number + 1) });
  }
  const { body } = await call('GET', '/search?text=item');
  t.true(body.complete);
  t.deepEqual(
    body.items.map(({ id }: { id: string }) => id),
    items.slice(-10).reverse(),
  );
  const health = (await call('GET', '/health')).body;
  t.deepEqual(health.actors, { main: 0, 'worker-1': 3, 'worker-2': 3 });
  t.is(health.inFlight, 0);
});

test('what cannot be served is answered with a status that says why', async (t) => {
  const { call } = await startApi(t);
  await call('POST', '/items/pears', '{"by": 3}');
  const refused = await call('POST', '/items/pears', '{"by": -4}');
  t.deepEqual([refused.status, refused.body.error], [409, 'Refusal: there are only 3 of pears']);
  t.is((await call('GET', '/items/pears')).body.count, 3);
  const expected: [status: number, method: string, path: string, body?: string][] = [
    [404, 'GET', '/items/plums'],
    [404, 'GET', '/nowhere'],
    [404, 'GET', `/items/${'x'.repeat(65)}`],
    [405, 'DELETE', '/items/pears'],
    [400, 'POST', '/items/pears', '{"by": 0.5}'],
    [400, 'POST', '/items/pears', '{"by"'],
    [400, 'POST', '/items/pears', 'null'],
    [413, 'POST', '/items/pears', 'x'.repeat(20_000)],
    [400, 'GET', '/primes?below=many'],
  ];
  for (const [status, method, path, body] of expected) {
    t.is((await call(method, path, body)).status, status, `${method} ${path}`);
  }
});

test('more work than may wait is refused with 503, and the rest is done', async (t) => {
  const { call } = await startApi(t);
  const answers = await Promise.all(Array.from({ length: 120 }, () => call('GET', '/primes?below=20000')));
  const done = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  t.is(done.length + refused.length, answers.length);
  t.true(done.length >= 64, 'as many as may wait');
  t.true(done.every(({ body }) => body.primes === 2262));
  t.true(refused.every(({ headers }) => headers['retry-after'] === '1'));
});

test('SIGTERM: what is under way is answered, then the process ends by the signal', async (t) => {
  const { api, ended, lines, call } = await startApi(t);
  let answered = 0;
  const ask = async () => {
    const answer = await call('GET', '/primes?below=300000');
    answered++;
    return answer;
  };
  const answers = Promise.all(Array.from({ length: 20 }, ask));
  // Until the server has all of them, answered or not.
  let underWay = 0;
  while (underWay + answered < 20) underWay = (await call('GET', '/health')).body.inFlight;
  api.kill('SIGTERM');
  for (const { status, body } of await answers) t.deepEqual([status, body.primes], [200, 25_997]);
  const closing = (await answers).filter(({ headers }) => headers.connection === 'close');
  t.true(closing.length > 0 || underWay < 10, 'few may have been answered before the signal came');
  t.deepEqual(await ended, [null, 'SIGTERM']);
  t.is(lines.at(-1), 'all requests are answered, all threads have ended');
  await t.throwsAsync(call('GET', '/health'), { code: 'ECONNREFUSED' });
});
