/** A counter service: actors on two worker threads, told and asked from the main thread, restarted when they fail. */
import { createSystem } from 'heddle';
import { Counter } from './counter-actor.js';

const system = await createSystem({ contexts: 2 });
system.on('actorFailure', ({ error, action }) => console.log(`a counter failed (${action}): ${error}`));

const names = ['apples', 'pears', 'plums'];
const counters = await Promise.all(names.map((_, index) => system.spawn(Counter, { start: index * 100 })));

for (let i = 0; i < 1000; i++) for (const counter of counters) counter.tell('add', 1);
for (const [index, counter] of counters.entries()) {
  console.log(`${names[index]}: ${await counter.ask('get')}, counted in ${counter.contextName}`);
}

try {
  await counters[0]!.ask('add', 0.5);
} catch (error) {
  console.log(`refused: ${(error as Error).message}`);
}
console.log(`after its restart: ${await counters[0]!.ask('get')} apples`);

await system.close();
