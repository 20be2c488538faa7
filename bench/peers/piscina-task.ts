/** What piscina's worker runs. */
export { answerQuestion as default } from '../workloads.js';
