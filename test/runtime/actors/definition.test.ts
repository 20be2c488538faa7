import test from 'ava';
import { createSystem } from '../../../src/index.js';
import { loadDefinition } from '../../../src/runtime/actors/definition.js';
import { Doorkeeper } from './fixtures/doors.js';
import { testSystem, until } from './support.js';

const moduleOf = (name: string) => new URL(`./fixtures/${name}.js`, import.meta.url).href;

test('a system can be made while its thread imports a module for the sake of another', async (t) => {
  const { system } = await testSystem(t);
  const doors = await system.spawn(Doorkeeper, undefined);
  const loading = loadDefinition(moduleOf('door-module'), 'late');
  await until(async () => (await doors.ask('waiting', 'door-module')) === 1);
  const another = await createSystem();
  await another.close();
  doors.tell('open', 'door-module');
  t.is((await loading).name, 'late');
});

test('no system is made by a module that is imported for its actors, past an await neither', async (t) => {
  const { system } = await testSystem(t);
  const doors = await system.spawn(Doorkeeper, undefined);
  const loading = loadDefinition(moduleOf('system-module'), 'misplaced');
  await until(async () => (await doors.ask('waiting', 'system-module')) === 1);
  doors.tell('open', 'system-module');
  await loading;
  t.is((await import('./fixtures/system-module.js')).outcome, 'ERR_HEDDLE_INVALID_STATE');
});
