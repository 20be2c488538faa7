import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { messagePortsAllPairs } from '../peers/index.js';

const peerName = '8 workers with MessagePorts';

/** More contexts than cores, each asking all others at once. */
export const oversubscribed: Benchmark = {
  id: 'oversubscribed',
  metric: '8 contexts, all pairs asking 64 B questions: messages',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('oversubscribed', { result: 'throughput' }),
  peers: [{ side: messagePortsAllPairs(peerName, 'throughput'), goal: ratioGoal(3, 5) }],
};

/** How long an answer takes at the worst under that load. */
export const oversubscribedP99: Benchmark = {
  id: 'oversubscribed-p99',
  metric: '8 contexts, all pairs asking 64 B questions: p99 of the round trip',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('oversubscribed', { result: 'p99' }),
  peers: [{ side: messagePortsAllPairs(peerName, 'p99'), goal: ratioGoal(1, 2) }],
};
