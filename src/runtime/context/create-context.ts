import { HeddleError } from '../../errors.js';
import type { ContextFactory, DirectedContext } from './context-runtime.js';

/** The context that a module's main function receives. */
export type Context = DirectedContext;

/** What a context counts. */
export type ContextStatistics = Readonly<Record<string, number>>;

/** The one place where nodes and worker threads learn how a context is made. */
export const contextFactory: ContextFactory<Context, ContextStatistics> = {
  moduleUrl: import.meta.url,
  createContext(init) {
    throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `no context runtime is joined to this build: context=${init.id}`);
  },
  statisticsBytes: 4096,
  readStatistics: () => ({}),
};
