import test from 'ava';
import { makeQuietPair } from './quiet-pair.js';
import { Random } from './random.js';

test('a setup never meets a wire that the service has just closed for being idle', async (t) => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    // Records take their time to a busy context: longer, once in a while, than a wire lingers.
    const maximumDelayMicros = random.pick([20_000, 400_000]);
    const { simulation, network, service, client } = makeQuietPair({}, { maximumDelayMicros }, random);
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
