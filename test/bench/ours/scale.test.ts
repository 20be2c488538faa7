import test from 'ava';
import type { Handlers } from '../../../bench/harness/role.js';
import { roles, type ScaleQuantity } from '../../../bench/ours/scale.js';

// Contexts do not keep the process alive, and ava ends a test when nothing else does.
const hold = setInterval(() => {}, 60_000);
test.after.always(() => clearInterval(hold));

const counts: Readonly<Record<ScaleQuantity, number>> = {
  'actor-time': 100,
  'actor-memory': 20_000,
  'context-time': 1,
  'context-memory': 1,
  'context-messages': 2,
  'connection-time': 3,
  'connection-memory': 400,
};

for (const [quantity, count] of Object.entries(counts)) {
  test.serial(`${quantity} is measured, of work that is checked`, async (t) => {
    const side = (await roles.side!({ quantity, count: { full: 0, quick: count } })) as Handlers;
    await side.setup!('quick');
    const value = (await side.run!(1)) as number;
    await side.teardown!(undefined);
    t.true(Number.isFinite(value));
    // Memory may come from what the process had free before.
    if (!quantity.endsWith('memory')) t.true(value > 0);
  });
}
