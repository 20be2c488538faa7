import { startMemoryServer } from './start-memory-server.js';

// A memory server in a process of its own: node server-process.js '{"uri":"tcp://127.0.0.1:0", ...}'
const { server, close } = await startMemoryServer(JSON.parse(process.argv[2]!)).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
process.send?.({ uri: server.uri });
process.on('message', async (what) => {
  if (what === 'counts') {
    process.send!({
      ...server.counts,
      pages: server.pages.count,
      evictions: server.pages.evictions,
      ...(await server.device.ask('status')),
    });
  } else if (what === 'shutdown') {
    await server.shutdown();
    await close();
    process.disconnect();
  }
});
