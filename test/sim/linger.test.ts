import test from 'ava';
import { Random } from './random.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { SimulatedNetwork } from './simulated-network.js';

test('a setup never meets a wire that the service has just closed for being idle', async (t) => {
  const conditions = {
    frameBytes: 4096,
    windowFrames: 8,
    maximumDelayMicros: 20_000,
    sharesMemory: false,
    lossChance: 0,
    duplicateChance: 0,
    reorderChance: 0,
    corruptChance: 0,
    silenceChance: 0,
  };
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const simulation = new Simulation();
    // Records take their time to a busy context: longer, once in a while, than a wire lingers.
    const maximumDelayMicros = random.pick([20_000, 400_000]);
    const network = new SimulatedNetwork(simulation, random, { ...conditions, maximumDelayMicros });
    const [service, client] = [1, 2].map((id) => new SimulatedContext(id, network, {})) as [
      SimulatedContext,
      SimulatedContext,
    ];
    await service.layer.listen('sim://service', {});
    let failure: unknown;
    client.layer.connect('sim://service', {}).connection.online.catch((error: unknown) => {
      failure = error;
    });
    await simulation.run(2_000_000);
    t.is(failure, undefined, `seed ${seed}`);
    t.is(client.layer.connectionCount, 1, `seed ${seed}`);
    void client.layer.close();
    void service.layer.close();
    await simulation.run(100_000_000);
    t.is(network.wires.size, 0, `seed ${seed}: the wire is closed in the end`);
  }
});
