import type { Clock } from '../../../src/clock.js';
import type { DutyCycleWork } from '../../../src/runtime/context/duty-cycle.js';
import { StatisticsBlock } from '../../../src/runtime/observe/statistics.js';

/** The work of a duty cycle that has no transports, and tells nobody of anything. */
export function cycleWork(clock: Clock): DutyCycleWork {
  return {
    clock,
    statistics: new StatisticsBlock(),
    transports: () => [],
    publish: () => {},
    isCrowded: () => false,
    onActivity: () => {},
    onSleep: () => {},
  };
}
