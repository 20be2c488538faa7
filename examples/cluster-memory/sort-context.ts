import type { MessagePort } from 'node:worker_threads';
import type { ContextMain } from 'heddle';
import { runSort, type SortJob, type SortReport } from './sort-job.js';

// A client on a thread of the server's own process: the two share memory.
export default (async (context, { job, port }) =>
  runSort(context, job, () => port.postMessage('sorted'))) satisfies ContextMain<
  { job: SortJob; port: MessagePort },
  SortReport
>;
