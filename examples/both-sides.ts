/** Both sides ask: a connection carries requests both ways at once, whoever opened it. */
import { createNode } from 'heddle';
import type player from './both-sides-player.js';

const uri = process.argv[2] ?? 'shm://player';

const node = createNode();
const opponent = await node.startContext<typeof player>(new URL('./both-sides-player.js', import.meta.url), {
  data: uri,
});

const secret = 42;
const connection = await node.context.connect(opponent.value, {
  // Asked by the other side, while it answers us.
  onRequest: ({ value: guess }) => (guess === secret ? 'right' : guess < secret ? 'higher' : 'lower'),
});

const { value } = await connection.request({ play: 'guess my number', from: 1, to: 100 });
console.log(
  `the other side found ${value.number} by asking us ${value.questions} times while we waited for its answer`,
);

await node.close();
