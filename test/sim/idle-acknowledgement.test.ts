import test from 'ava';
import { makeQuietPair } from './quiet-pair.js';

test('a buffer that was sent is free soon after it has arrived, although nothing else goes either way', async (t) => {
  const { simulation, network, service, client } = makeQuietPair({ reconnectTimeoutMs: 60_000, keepaliveProbes: 0 });
  let received = 0;
  await service.layer.listen('sim://service', { onMessage: () => void received++ });
  const { connection } = client.layer.connect('sim://service', {});
  await simulation.run(100_000);
  for (let sent = 1; sent <= 3; sent++) {
    connection.send(client.pool.allocate(100_000));
    t.is(client.pool.statistics().buffersHeld, 1);
    await simulation.run(simulation.nowMicros + 150_000);
    t.is(received, sent);
    t.is(client.pool.statistics().buffersHeld, 0);
  }
  void client.layer.close();
  void service.layer.close();
  await simulation.run(simulation.nowMicros + 60_000_000);
  t.is(network.wires.size, 0);
});
