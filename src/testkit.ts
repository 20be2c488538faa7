/**
 * heddle/testkit: what tests of actors need, whatever runs them. What is not exported here is not public.
 *
 * @packageDocumentation
 */
export { ExpectationError } from './testkit/expectation-error.js';
export { ManualClock } from './testkit/manual-clock.js';
export { Probe, type WithinOptions } from './testkit/probe.js';
export type { PayloadOf, ReceivedMessage } from './testkit/received.js';
export { createTestKit, TestKit, type TestKitOptions } from './testkit/test-kit.js';
