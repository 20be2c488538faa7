import { type ContextStatistics, readStatistics } from '../observe/statistics.js';
import { statisticsBlockBytes } from '../observe/statistics-layout.js';
import { Context } from './context.js';
import { defaultContextOptions, mergeContextOptions } from './context-options.js';
import type { ContextFactory } from './context-runtime.js';

export type { ContextStatistics };
export { Context };

/** The one place where nodes and worker threads learn how a context is made. */
export const contextFactory: ContextFactory<Context, ContextStatistics> = {
  moduleUrl: import.meta.url,
  createContext: (init) => new Context(init),
  checkOptions: (options) => void mergeContextOptions(defaultContextOptions, options),
  statisticsBytes: statisticsBlockBytes,
  readStatistics,
};
