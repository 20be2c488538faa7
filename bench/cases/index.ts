/** All benchmarks, in the order in which they run and are shown. */
import type { Benchmark } from '../harness/benchmark.js';
import { actorAskCross, actorTellCross, fanIn } from './actors-cross.js';
import { actorTellLocal, create } from './actors-local.js';
import { batchEffectShm } from './batch-effect.js';
import { idleCpu } from './idle-cpu.js';
import { oversubscribed, oversubscribedP99 } from './oversubscribed.js';
import { batchEffectRdma, rdmaBandwidth1MiB, rdmaOneway64, rdmaRtt } from './rdma.js';
import { savina } from './savina.js';
import { scale } from './scale.js';
import { seedBenchmarks } from './seeds/index.js';
import { shm1MiB, shmFlat } from './shm-large.js';
import { shmOneway4k, shmOneway64 } from './shm-oneway.js';
import { shmRttHot, shmRttIdle } from './shm-rtt.js';
import { tcpOneway64, tcpRtt } from './tcp.js';

export const benchmarks: readonly Benchmark[] = [
  shmOneway64,
  shmOneway4k,
  shmRttHot,
  shmRttIdle,
  shm1MiB,
  shmFlat,
  batchEffectShm,
  oversubscribed,
  oversubscribedP99,
  idleCpu,
  actorTellLocal,
  actorTellCross,
  actorAskCross,
  fanIn,
  create,
  tcpOneway64,
  tcpRtt,
  rdmaOneway64,
  rdmaRtt,
  rdmaBandwidth1MiB,
  batchEffectRdma,
  ...seedBenchmarks,
  ...scale,
  ...savina,
];
