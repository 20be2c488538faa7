/** Two processes: a warehouse, and a shop that connects with it, orders reliably, and is told what runs low. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { integerOf, runCommand, UsageError } from '../command-line.js';
import { runShop } from './shop.js';
import { openWarehouse } from './warehouse.js';

const help = `npm run example -- warehouse                                 both, in two processes
  npm run example -- warehouse open --listen tcp://127.0.0.1:7000   the warehouse; WAREHOUSE_SECRET in the environment
  npm run example -- warehouse shop tcp://127.0.0.1:7000            a shop; the same secret, --orders 30`;
const config = {
  allowPositionals: true,
  options: {
    listen: { type: 'string', default: 'tcp://127.0.0.1:0' },
    orders: { type: 'string', default: '30' },
  },
} as const;
// Both processes need it; where there is none, this one draws it for its child.
const secret = process.env.WAREHOUSE_SECRET ?? randomBytes(32).toString('base64');

await runCommand(help, config, async ({ values: { listen, orders: text }, positionals: [role, uri] }) => {
  const orders = integerOf('orders', text, 1, 1e6);
  if (role === 'open') {
    await openWarehouse(listen, secret);
    // Started by the shop it ends with it.
    if (!process.stdin.isTTY) process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
  } else if (role === 'shop' && uri !== undefined) await runShop(uri, secret, orders);
  else if (role === undefined) await inTwoProcesses(listen, orders);
  else throw new UsageError(role === 'shop' ? 'a shop needs the URI of a warehouse' : `there is no role ${role}`);
});

async function inTwoProcesses(listen: string, orders: number): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'open', '--listen', listen], {
    env: { ...process.env, WAREHOUSE_SECRET: secret },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const firstLine = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', () => reject(new UsageError(`the warehouse could not open at ${listen}`)));
  });
  console.log(`the warehouse, process ${child.pid}, listens at ${firstLine}`);
  try {
    await runShop(firstLine, secret, orders);
  } finally {
    child.stdin.end();
  }
}
