import type { ConnectionOptions } from '../../src/runtime/session/options.js';
import { Random } from './random.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { type NetworkConditions, quietConditions, SimulatedNetwork } from './simulated-network.js';

/** Two contexts on a network where nothing goes wrong but what the test sees to. */
export function makeQuietPair(
  options: Partial<ConnectionOptions>,
  changes: Partial<NetworkConditions> = {},
  random = new Random(1),
) {
  const simulation = new Simulation();
  const network = new SimulatedNetwork(simulation, random, { ...quietConditions, ...changes });
  const service = new SimulatedContext(1, network, options);
  const client = new SimulatedContext(2, network, options);
  return { simulation, network, service, client };
}
