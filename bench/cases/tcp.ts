import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { grpcUnary, netEcho, zeromqPushPull } from '../peers/index.js';

/** One-way 64-byte messages from process to process. */
export const tcpOneway64: Benchmark = {
  id: 'tcp-oneway-64',
  metric: 'one-way 64 B messages over loopback TCP, two processes',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('tcp-oneway', { bytes: 64 }),
  peers: [{ side: zeromqPushPull(64), goal: ratioGoal(3, 6) }],
};

/** A question and its answer from process to process. */
export const tcpRtt: Benchmark = {
  id: 'tcp-rtt',
  metric: 'p50 of a 64 B request/response over loopback TCP, two processes',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('tcp-rtt', { bytes: 64 }),
  peers: [
    { side: netEcho(64), goal: ratioGoal(0.8, 0.95) },
    { side: grpcUnary(64), goal: ratioGoal(15, 25) },
  ],
};
