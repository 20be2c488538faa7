/** The services of examples/ beside what one would run instead: `npm run bench -- seeds`. A file for each service. */
import type { Benchmark } from '../../harness/benchmark.js';
import {
  clusterMemoryIn,
  clusterMemoryInP99,
  clusterMemoryInRdma,
  clusterMemoryInShm,
  clusterMemoryInShmP99,
  clusterMemoryOut,
} from './cluster-memory.js';
import { layoutCallbacks, layoutCallbacksContended } from './layout-callbacks.js';
import { rdmaHttpd, rdmaHttpdCpu } from './rdma-httpd.js';
import { webCache, webCacheLarge, webCacheQueued, webCacheQueuedAlone } from './web-cache.js';

export const seedBenchmarks: readonly Benchmark[] = [
  webCache,
  webCacheLarge,
  webCacheQueued,
  webCacheQueuedAlone,
  rdmaHttpd,
  rdmaHttpdCpu,
  clusterMemoryIn,
  clusterMemoryInP99,
  clusterMemoryInRdma,
  clusterMemoryInShm,
  clusterMemoryInShmP99,
  clusterMemoryOut,
  layoutCallbacks,
  layoutCallbacksContended,
];
