import test, { type ExecutionContext } from 'ava';
import { build } from 'esbuild';
import { readProjectFile } from '../support/project.js';
import { counterIn, makeProject, runNode } from './support.js';

const failing = `import { createSystem } from 'heddle';
import { Counter } from './counter.js';

const system = await createSystem({ contexts: 1 });
system.on('actorFailure', () => {});
const counter = await system.spawn(Counter, { start: 0 });
console.log(await counter.ask('fail').catch((error) => error.remoteStack));
await system.close();
`;
/** Where the source throws. */
const line =
  counterIn('')
    .split('\n')
    .findIndex((text) => text.includes('throw new TypeError')) + 1;

async function makeCompiled(t: ExecutionContext, main: string): Promise<string> {
  const folder = await makeProject(t, { 'src/counter.ts': counterIn('import.meta.url'), 'dist/main.js': main });
  await build({ absWorkingDir: folder, entryPoints: ['src/counter.ts'], outdir: 'dist', sourcemap: true });
  return folder;
}

test('the stack of an error from another thread leads to the source, by --enable-source-maps', async (t) => {
  const folder = await makeCompiled(t, failing);
  const { stdout } = await runNode(folder, '--enable-source-maps', 'dist/main.js');
  t.regex(stdout, new RegExp(`TypeError: out of order\\n.*src/counter\\.ts:${line}:`));
});

test('the same by process.setSourceMapsEnabled in the main thread', async (t) => {
  const folder = await makeCompiled(t, `process.setSourceMapsEnabled(true);\n${failing}`);
  const { stdout } = await runNode(folder, 'dist/main.js');
  t.regex(stdout, new RegExp(`TypeError: out of order\\n.*src/counter\\.ts:${line}:`));
});

test('without them it leads to what runs', async (t) => {
  const folder = await makeCompiled(t, failing);
  t.regex((await runNode(folder, 'dist/main.js')).stdout, /TypeError: out of order\n.*dist\/counter\.js:/);
});

test("heddle's own maps lead to sources that are published with it", (t) => {
  const { files } = JSON.parse(readProjectFile('package.json')) as { files: string[] };
  t.true(files.includes('dist/src') && files.includes('src'));
  const map = JSON.parse(readProjectFile('dist/src/runtime/actors/cell.js.map')) as { sources: string[] };
  t.deepEqual(map.sources, ['../../../../src/runtime/actors/cell.ts']);
});
