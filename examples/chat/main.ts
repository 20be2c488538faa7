/** A chat over plain TCP: join with nc; clients are actors in the main thread, rooms are actors on all the others. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startChat } from './server.js';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '4000' },
    contexts: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log('npm run example -- chat [--port 4000] [--host 127.0.0.1] [--contexts <threads for the rooms>]');
} else {
  try {
    await main();
  } catch (error) {
    console.error(`the chat cannot open: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

async function main(): Promise<void> {
  const { host, port, contexts } = values;
  const chat = await startChat({ host, port: Number(port), contexts: Number(contexts) });
  console.log(`the chat is open; rooms live on ${chat.system.contextNames.slice(1).join(', ') || 'main'}`);
  console.log(`join from other terminals:  nc ${chat.host} ${chat.port}`);
  console.log('end it with Ctrl-C');
}
