/** One-way messages with receipts: the sender learns that a handler has seen each, and whether it took it. */
import { createNode } from 'heddle';
import type inbox from './receipts-inbox.js';

const uri = process.argv[2] ?? 'shm://inbox';

const node = createNode();
const letters = await node.startContext<typeof inbox>(new URL('./receipts-inbox.js', import.meta.url), { data: uri });
const connection = await node.context.connect(letters.value);

// One by one: deliver() resolves with the receipt.
for (const text of ['a letter', 'an advertisement']) {
  const receipt = await connection.deliver({ text });
  console.log(`${text}: ${receipt.accepted ? 'accepted' : 'refused'}`);
}

// In batches: `more` lets messages travel together, and each receipt calls back.
let receipts = 0;
const allReceived = new Promise<void>((resolve) => {
  const onReceipt = () => {
    if (++receipts === 1000) resolve();
  };
  for (let number = 1; number <= 1000; number++) {
    connection.send({ text: `letter ${number}` }, { more: number < 1000, onReceipt });
  }
});
await allReceived;
console.log(`${receipts} receipts for a batch of 1000 letters`);

await node.close();
