import test from 'ava';
import { HandlerTable } from '../../../src/runtime/actors/handler-table.js';

test('handlers are found by their names alone, whatever was looked for before', (t) => {
  const handlers = { add: () => 1, toString: () => 'text', '': () => 'nameless' };
  const table = new HandlerTable(handlers);
  const names = ['', 'add', 'add', 'constructor', 'constructor', 'add', 'toString', '', '__proto__', 'valueOf', 'add'];
  for (const name of names) {
    t.is(table.find(name), Object.hasOwn(handlers, name) ? handlers[name as keyof typeof handlers] : undefined, name);
  }
  t.is(new HandlerTable({}).find(''), undefined);
});
