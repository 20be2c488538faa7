/**
 * An order workflow: an XState machine as an actor pays and ships by asking other actors, tries again with pauses and
 * deadlines, and is observed from this thread.
 */
import { createSystem, observe, outputOf } from 'heddle';
import { Order } from './order-workflow-machine.js';
import { Bank, Carrier } from './order-workflow-services.js';

const system = await createSystem({ contexts: 2 });
const bank = await system.spawn(Bank, undefined, { on: 'worker-1' });
const carrier = await system.spawn(Carrier, undefined, { on: 'worker-1' });

for (const [id, amount] of [
  ['A-1', 40],
  ['B-2', 4000],
] as const) {
  const order = await system.spawn(Order, { id, amount, bank, carrier }, { on: 'worker-2' });
  const steps: string[] = [];
  observe(order, {
    next: ({ value, context: { tries } }) => void steps.push(tries > 1 ? `${value} (try ${tries})` : String(value)),
    complete: () => console.log(`${id}: ${steps.join(', ')}`),
  });
  const output = outputOf(order);
  await order.ask('place');
  const { paid, tracking } = await output;
  console.log(`${id}: ${paid ? 'paid' : 'not paid'}, ${tracking ?? 'not shipped'}`);
}
await system.close();
