import { type ClusterSystem, createSystem } from 'heddle';
import { Stock } from './stock.js';

/** Opens a warehouse that shops of other processes connect with. Prints where it listens as its first line. */
export async function openWarehouse(listen: string, secret: string): Promise<ClusterSystem> {
  const system = await createSystem({ name: 'warehouse', contexts: 1, listen, secret, register: [Stock] });
  system.cluster.on('refused', (error) => console.error(`refused: ${error.message}`));
  await system.spawn(Stock, { items: { apples: 500, pears: 40 }, lowBelow: 20 }, { name: 'fruit' });
  console.log(system.cluster.uri);
  return system;
}
