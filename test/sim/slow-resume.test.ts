import test from 'ava';
import type { SessionEvent } from '../../src/runtime/session/events.js';
import { Random } from './random.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { SimulatedNetwork } from './simulated-network.js';

test('a connection comes back by a wire that takes seconds to answer', async (t) => {
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
  const options = { reconnectTimeoutMs: 60_000, connectTimeoutMs: 10_000, reconnectDelayMs: 50 };
  const [service, client] = [1, 2].map((id) => new SimulatedContext(id, network, options)) as [
    SimulatedContext,
    SimulatedContext,
  ];
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
