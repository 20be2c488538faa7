import { createProducer, createSystem, type HeddleError } from 'heddle';
import { Shop, Stock } from './stock.js';

/** Connects with a warehouse, orders reliably, hears of what runs low, and opens a stock of its own there. */
export async function runShop(uri: string, secret: string, orders: number): Promise<void> {
  await using system = await createSystem({ name: 'shop', contexts: 1, secret });
  const warehouse = await system.connect(uri);
  warehouse.on('lost', (error: HeddleError) => console.log(`the warehouse is gone: ${error.code}`));

  const fruit = await warehouse.lookup('fruit', Stock);
  if (fruit === undefined) throw new Error('the warehouse has no fruit');
  // Its ref travels: from now on the stock in that process tells the shop in this one.
  const shop = await system.spawn(Shop);
  await fruit.ask('follow', shop);

  // Sent until they are confirmed, each handled once: over lost wires, and over a restart of the stock.
  await using producer = createProducer(() => warehouse.lookup('fruit', Stock));
  for (let number = 1; number <= orders; number++) await producer.send('place', { number, item: 'pears' });
  await producer.confirmed();
  const { left } = await fruit.ask('report', 'pears');
  console.log(`${producer.confirmedCount} orders are confirmed; ${left} pears are left`);
  console.log(`running low: ${await shop.ask('firstLow')}`);

  // What the warehouse has registered can be made there, and nothing else.
  const own = await warehouse.spawn(Stock, { items: { plums: 7 }, lowBelow: 1 });
  console.log(`our own stock in the other process has ${(await own.ask('report', 'plums')).left} plums`);
  await warehouse.spawn(Shop).catch(({ code }: HeddleError) => console.log(`a shop there: ${code}`));
  await system.stop(own);
}
