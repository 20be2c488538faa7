import type { ContextMain } from 'heddle';
import { type CounterReport, type CounterTask, countTogether } from './shared-counter.js';

// A client on a thread of this process.
export default (async (context, task) => countTogether(context, task)) satisfies ContextMain<
  CounterTask,
  CounterReport
>;
