/** What the two guests agree on. */

/** What guest 1 asks of guest 0, beside the service: by a socket of its own. */
export type Command = 'start' | 'kill' | 'silence' | 'unplug' | 'reset' | 'end';

const { GUEST, IP, PEER } = process.env;
const host = GUEST === '0' ? IP : PEER;
export const serviceUri = `rdma://${host}:7000`;
/** A portal with the keepalive that is the default. */
export const sleeperUri = `rdma://${host}:7001`;
export const controlPort = 7999;
/** Of an emulated machine nothing is quick: a peer that works must not be taken for a silent one. */
export const keepalive = { keepaliveIdleMs: 4000, keepaliveIntervalMs: 1000, keepaliveProbes: 4 };
/** Regions are reached by the device itself. */
export const contextOptions = { rdmaOneSided: true };
export const mebibyte = 1024 * 1024;
/** How long guest 0 waits with what may keep its answer from arriving. */
export const ventureMs = 500;
