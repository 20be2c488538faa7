/**
 * Runs an example, or lists them all:
 *
 *   npm run example
 *   npm run example -- hello
 *   npm run example -- hello tcp://127.0.0.1:7001
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

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

const uriHelp = 'the uri is shm://<name>, tcp://<host>:<port> or rdma://<host>:<port>';

/** Runs an example in this process. What the user can mend ends it with a line that says what, and with its usage. */
async function run(name, args) {
  const path = fileURLToPath(new URL(`../dist/examples/${modules.get(name)}`, import.meta.url));
  const isService = path.endsWith('main.js');
  const usage = `npm run example -- ${name}${isService ? ' --help' : ` [uri]: ${uriHelp}`}`;
  if (!isService && args.some((argument) => argument === '--help' || argument === '-h')) {
    console.log(`${examples.get(name)}\n\n${usage}`);
    return;
  }
  process.argv = [process.execPath, path, ...args];
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    const isUsage = error?.constructor?.name === 'UsageError';
    // A signal has closed what was starting: that ends the program.
    if ((!isUsage && error?.name !== 'HeddleError') || error.code === 'ERR_HEDDLE_CLOSED') throw error;
    // Where a thread could not start, the reason stands in the cause.
    const { message } = error.code === 'ERR_HEDDLE_CONTEXT_START' ? (error.cause ?? error) : error;
    console.error(`${name}: ${message}\n\n${usage}`);
    // What was started before has nothing to do any more.
    process.exit(1);
  }
}

const [name, ...args] = process.argv.slice(2);
if (name !== undefined && examples.has(name)) await run(name, args);
else {
  const isHelp = name === undefined || name === '--help' || name === '-h';
  const say = isHelp ? console.log : console.error;
  if (!isHelp) say(`there is no example ${name}\n`);
  say(`npm run example -- <name> [uri], where ${uriHelp}; a service takes --help:\n`);
  for (const [example, summary] of [...examples].sort()) say(`  ${example.padEnd(24)} ${summary}`);
  process.exitCode = isHelp ? 0 : 1;
}
