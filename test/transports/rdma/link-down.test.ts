import { once } from 'node:events';
import test from 'ava';
import { TwoHosts } from '../../support/two-hosts.js';
import type { OutageNote } from './fixtures/outage.js';

const service = new URL('./fixtures/process.js', import.meta.url);
const client = new URL('./fixtures/outage.js', import.meta.url);

test('a link that goes down and up again: what waits ends coded, a connection that may come back does', async (t) => {
  const hosts = await TwoHosts.start();
  t.teardown(() => hosts.close());
  // The two hosts have one file system and one memory: only the network parts them.
  const env: NodeJS.ProcessEnv = { ...process.env, UCX_TLS: 'tcp,self' };
  delete env.UCX_NET_DEVICES;

  const server = hosts.start('right', service, [`rdma://${hosts.addresses.right}:0`], env);
  const [uri] = (await once(server, 'message')) as [string];
  const asking = hosts.start('left', client, [uri], env);
  const gone = once(asking, 'exit').then(() => Promise.reject(new Error('the client is gone before its end')));
  gone.catch(() => {});
  const nextNote = async () => (await Promise.race([once(asking, 'message'), gone]))[0] as OutageNote;

  t.is((await nextNote()).at, 'talking');
  await hosts.setLink('right', 'down');
  t.is((await nextNote()).at, 'down');
  await hosts.setLink('right', 'up');
  asking.send('up');
  const end = await nextNote();
  if (end.at !== 'end') return t.fail(`the client is only at ${end.at}`);

  t.deepEqual(end.lost.outcomes, ['ERR_HEDDLE_FLUSHED', 'ERR_HEDDLE_FLUSHED', 'ERR_HEDDLE_FLUSHED']);
  t.deepEqual(end.lost.events.slice(1), [
    'connection-established',
    'connection-disconnected',
    'connection-teardown',
    'session-teardown',
  ]);
  t.deepEqual(end.kept.outcomes, ['after']);
  t.true(end.kept.events.includes('connection-reconnecting'), end.kept.events.join());
  t.true(end.kept.events.includes('connection-reconnected'), end.kept.events.join());
  t.is(end.fresh, 'fresh');
  t.is(end.buffersHeld, 0);
});
