import test from 'ava';
import type { SessionEvent } from '../../src/runtime/session/events.js';
import { makeQuietPair } from './quiet-pair.js';

test('a connection comes back by a wire that takes seconds to answer', async (t) => {
  const { simulation, network, service, client } = makeQuietPair({
    reconnectTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
    reconnectDelayMs: 50,
  });
  await service.layer.listen('sim://service', { onRequest: (message) => message.value });
  const events: SessionEvent['type'][] = [];
  const { connection } = client.layer.connect('sim://service', { onEvent: ({ type }) => events.push(type) });
  await simulation.run(100_000);
  t.true(connection.isOnline);

  // From now on each way takes longer than a first try to come back waits.
  network.delay = () => 1_200_000;
  for (const wire of network.wires) wire.cut();
  await simulation.run(simulation.nowMicros + 40_000_000);
  t.true(events.includes('connection-reconnected'), events.join());
  const response = connection.request('still there');
  await simulation.run(simulation.nowMicros + 10_000_000);
  t.is((await response).value, 'still there');
  void service.layer.close();
  void client.layer.close();
  await simulation.run(simulation.nowMicros + 60_000_000);
  t.is(client.layer.connectionCount + service.layer.connectionCount, 0);
});
