/** The benchmarks of the Savina suite that are ported, in the order in which they run: those of messages, then the parallel ones. */
import { aStar } from './a-star.js';
import { allPairsShortestPath } from './all-pairs-shortest-path.js';
import { bankTransaction } from './bank-transaction.js';
import { big } from './big.js';
import { bitonicSort } from './bitonic-sort.js';
import { boundedBuffer } from './bounded-buffer.js';
import { chameneos } from './chameneos.js';
import { cigaretteSmokers } from './cigarette-smokers.js';
import { concurrentDictionary } from './concurrent-dictionary.js';
import { concurrentSortedList } from './concurrent-sorted-list.js';
import { counting } from './counting.js';
import { diningPhilosophers } from './dining-philosophers.js';
import { facilityLocation } from './facility-location.js';
import { fibonacci } from './fibonacci.js';
import { filterBank } from './filter-bank.js';
import { forkJoinCreation } from './fork-join-creation.js';
import { forkJoinThroughput } from './fork-join-throughput.js';
import { logisticMap } from './logistic-map.js';
import { matrixMultiplication } from './matrix-multiplication.js';
import { nQueens } from './n-queens.js';
import { piPrecision } from './pi-precision.js';
import { pingPong } from './ping-pong.js';
import { quicksort } from './quicksort.js';
import { radixSort } from './radix-sort.js';
import type { AnySavinaBenchmark } from './savina.js';
import { sieve } from './sieve.js';
import { sleepingBarber } from './sleeping-barber.js';
import { successiveOverRelaxation } from './successive-over-relaxation.js';
import { threadRing } from './thread-ring.js';
import { trapezoid } from './trapezoid.js';
import { uct } from './uct.js';

export const savinaBenchmarks: readonly AnySavinaBenchmark[] = [
  pingPong,
  counting,
  forkJoinThroughput,
  forkJoinCreation,
  threadRing,
  chameneos,
  big,
  concurrentDictionary,
  concurrentSortedList,
  boundedBuffer,
  diningPhilosophers,
  sleepingBarber,
  cigaretteSmokers,
  logisticMap,
  bankTransaction,
  allPairsShortestPath,
  nQueens,
  matrixMultiplication,
  quicksort,
  radixSort,
  sieve,
  bitonicSort,
  trapezoid,
  piPrecision,
  successiveOverRelaxation,
  aStar,
  uct,
  facilityLocation,
  filterBank,
  fibonacci,
];
