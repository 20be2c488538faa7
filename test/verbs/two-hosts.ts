/**
 * Run by the verbs lab in each of two guests, as `two-hosts.js PART...`: guest 0 serves, guest 1 asks and looks at what
 * comes. Any two hosts will do: GUEST is 0 or 1, IP this host's address, PEER the other one's, INTERFACE the one by which
 * guest 0 is reached, and NETEM how it treats packets.
 */
import assert from 'node:assert/strict';
import { type Context, createNode } from '../../src/index.js';
import { Control } from './asking.js';
import { outage, reboot, serviceFailures } from './failures.js';
import { killedReaders, readUntilKilled } from './readers.js';
import { serve, supervise } from './service.js';
import { talk } from './talk.js';
import { contextOptions } from './terms.js';

/** What can be asked for. */
const parts: Record<string, (context: Context, control: Control) => Promise<void>> = {
  talk: (context) => talk(context),
  failures: serviceFailures,
  readers: (context) => killedReaders(context),
  silence: (context, control) => outage(context, control, 'silence'),
  unplug: (context, control) => outage(context, control, 'unplug'),
  reboot,
};

async function ask(names: readonly string[]): Promise<void> {
  const node = createNode({ contextOptions });
  const { context } = node;
  const control = new Control();
  await control.open();
  await control.tell('start');
  for (const name of names) await parts[name]!(context, control);
  await control.tell('end');
  await node.close();
  assert.equal(context.memory.buffersHeld, 0);
}

const names = process.argv.slice(2);
if (names[0] === 'serve') await serve();
else if (names[0] === 'read') await readUntilKilled();
else if (process.env.GUEST === '0') await supervise();
else await ask(names);
