import test from 'ava';
import { Random } from './random.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { SimulatedNetwork } from './simulated-network.js';

test('a buffer that was sent is free soon after it has arrived, although nothing else goes either way', async (t) => {
  const simulation = new Simulation();
  const network = new SimulatedNetwork(simulation, new Random(1), {
    frameBytes: 4096,
    windowFrames: 8,
    maximumDelayMicros: 1000,
    sharesMemory: false,
    lossChance: 0,
    duplicateChance: 0,
    reorderChance: 0,
    corruptChance: 0,
    silenceChance: 0,
  });
  const options = { reconnectTimeoutMs: 60_000, keepaliveProbes: 0 };
  const [service, client] = [1, 2].map((id) => new SimulatedContext(id, network, options)) as [
    SimulatedContext,
    SimulatedContext,
  ];
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
