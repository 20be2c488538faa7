/** examples/rdma-httpd: bodies by RDMA beside bodies by plain HTTP, in bytes a second and in CPU time of the server. */
import type { Benchmark, Side } from '../../harness/benchmark.js';
import { processSide } from '../../harness/process-side.js';
import { nativeRdma } from '../../harness/requirement.js';
import type { RdmaHttpdOptions } from '../../ours/rdma-httpd.js';

const load = { fileBytes: 16 * 1024 * 1024, connections: 2 };

function side(name: string, options: Omit<RdmaHttpdOptions, 'fileBytes' | 'connections'>): Side {
  const module = new URL('../../ours/rdma-httpd.js', import.meta.url);
  const needs = options.by === 'rdma' ? [nativeRdma] : [];
  return processSide({ name, module, options: { ...load, ...options }, needs });
}

function benchmark(id: string, metric: string, result: RdmaHttpdOptions['result']): Benchmark {
  return {
    id,
    metric: `${metric}: a file of 16 MiB over 2 HTTP connections, two processes`,
    unit: result === 'bytes/s' ? 'B/s' : 's/GB',
    higherIsBetter: result === 'bytes/s',
    ours: side('heddle rdma-httpd, rdma://, server writes', { by: 'rdma', mode: 'server-writes', result }),
    peers: [
      {
        side: side('the same, rdma://, client reads', { by: 'rdma', mode: 'client-reads', result }),
        isOnlyInFull: true,
      },
      { side: side('the same, tcp://, server writes', { by: 'tcp', mode: 'server-writes', result }) },
      { side: side('the same, tcp://, client reads', { by: 'tcp', mode: 'client-reads', result }), isOnlyInFull: true },
      { side: side('the same, plain HTTP', { result }) },
      { side: side('node:http with a stream of the file', { result, server: 'node:http' }) },
    ],
    runMs: { full: 1500, quick: 500 },
    rounds: { full: 7, quick: 3 },
  };
}

export const rdmaHttpd = benchmark('seeds/rdma-httpd', 'bytes of bodies', 'bytes/s');
export const rdmaHttpdCpu = benchmark('seeds/rdma-httpd-cpu', 'CPU time of the server for each GB', 'CPU s/GB');
