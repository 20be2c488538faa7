/**
 * Runs an example, or lists them all:
 *
 *   npm run example
 *   npm run example -- hello
 *   npm run example -- hello tcp://127.0.0.1:7001
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../examples/', import.meta.url);

/** Every example with the first sentence of the comment that its main file begins with. Its other files have none there. */
const examples = new Map();
const modules = new Map();
for (const entry of readdirSync(folder, { withFileTypes: true })) {
  // A service has a folder of its own.
  const file = entry.isDirectory() ? `${entry.name}/main.ts` : entry.name;
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(new URL(file, folder), 'utf8'))?.[1];
  if (comment === undefined || !file.endsWith('.ts')) continue;
  const text = comment.replace(/\s*\n \*\s*/g, ' ').trim();
  const example = entry.isDirectory() ? entry.name : file.slice(0, -'.ts'.length);
  examples.set(example, /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text);
  modules.set(example, file.replace(/\.ts$/, '.js'));
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !examples.has(name)) {
  if (name !== undefined) console.error(`there is no example ${name}\n`);
  console.log(
    'npm run example -- <name> [uri], where the uri is shm://<name> or tcp://<host>:<port>; a service takes --help:\n',
  );
  for (const [example, summary] of [...examples].sort()) console.log(`  ${example.padEnd(24)} ${summary}`);
  process.exitCode = name === undefined ? 0 : 1;
} else {
  const module = fileURLToPath(new URL(`../dist/examples/${modules.get(name)}`, import.meta.url));
  const child = spawn(process.execPath, [module, ...args], { stdio: 'inherit' });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal !== null) console.error(`${name} was ended by ${signal}`);
  });
}
