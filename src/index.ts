/**
 * heddle: actors on every core, one API from the next thread to the next host. This is all that a user imports;
 * what is not exported here is not public.
 *
 * @packageDocumentation
 */
export { type Clock, systemClock, type Timer } from './clock.js';
export { type ErrorCode, errorCodes, HeddleError, type HeddleErrorOptions, RemoteError } from './errors.js';
