/** A chat over plain TCP: join with nc; clients are actors in the main thread, rooms are actors on all the others. */
import { availableParallelism } from 'node:os';
import { integerOf, runCommand } from '../command-line.js';
import { startChat } from './server.js';

const help = 'npm run example -- chat [--port 4000] [--host 127.0.0.1] [--contexts <threads for the rooms>]';
const config = {
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '4000' },
    contexts: { type: 'string', default: String(availableParallelism()) },
  },
} as const;

await runCommand(help, config, async ({ values }) => {
  const { host, port, contexts } = values;
  const chat = await startChat({
    host,
    port: integerOf('port', port, 0, 65_535),
    contexts: integerOf('contexts', contexts, 0, 1024),
  });
  console.log(`the chat is open; rooms live on ${chat.system.contextNames.slice(1).join(', ') || 'main'}`);
  console.log(`join from other terminals:  nc ${chat.host} ${chat.port}`);
  console.log('end it with Ctrl-C');
});
