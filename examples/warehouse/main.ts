/** Two processes: a warehouse, and a shop that connects with it, orders reliably, and is told what runs low. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runShop } from './shop.js';
import { openWarehouse } from './warehouse.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    listen: { type: 'string', default: 'tcp://127.0.0.1:0' },
    orders: { type: 'string', default: '30' },
    help: { type: 'boolean', default: false },
  },
});
const [role, uri] = positionals;
const orders = Number(values.orders);
// Both processes need it; where there is none, this one draws it for its child.
const secret = process.env.WAREHOUSE_SECRET ?? randomBytes(32).toString('base64');

if (values.help) {
  console.log(`npm run example -- warehouse                                 both, in two processes
  npm run example -- warehouse open --listen tcp://127.0.0.1:7000   the warehouse; WAREHOUSE_SECRET in the environment
  npm run example -- warehouse shop tcp://127.0.0.1:7000            a shop; the same secret, --orders 30`);
} else if (role === 'open') {
  await openWarehouse(values.listen, secret);
  // Started by the shop it ends with it.
  if (!process.stdin.isTTY) process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
} else if (role === 'shop' && uri !== undefined) await runShop(uri, secret, orders);
else {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'open', '--listen', values.listen], {
    env: { ...process.env, WAREHOUSE_SECRET: secret },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const firstLine = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
  console.log(`the warehouse, process ${child.pid}, listens at ${firstLine}`);
  try {
    await runShop(firstLine, secret, orders);
  } finally {
    child.stdin.end();
  }
}
