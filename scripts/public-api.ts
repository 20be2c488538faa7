/**
 * All that is public. Import it from `heddle`; `createTestKit`, and what it gives, from `heddle/testkit`.
 *
 * @packageDocumentation
 */
export * from '../src/index.js';
export * from '../src/testkit.js';
