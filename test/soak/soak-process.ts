/** The second process of a soak: has every other context, until whoever started it goes away. */
import { createNode } from '../../src/index.js';
import { startContexts } from './soak-contexts.js';
import type { SoakPlan } from './soak-plan.js';

const plan = JSON.parse(process.argv[2] as string) as SoakPlan;
const node = createNode({ contextOptions: plan.contextOptions });
process.once('disconnect', () => void node.close());
const addresses = await startContexts(node, plan, 1);
process.send?.(addresses);
