import type { PagedMemory } from './paged-memory.js';

/** What is sorted: numbers in consecutive pages. */
export interface PagedNumbers {
  readonly firstPage: number;
  readonly pages: number;
}

/** A run that is being merged: where it stands, with the numbers of the page there. */
interface Run {
  page: number;
  readonly endPage: number;
  index: number;
  readonly numbers: Float64Array;
}

const numberBytes = 8;

function numbersOf(bytes: Buffer): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / numberBytes);
}

/**
 * Sorts numbers that do not fit: makes sorted runs of `runPages` pages each, then merges `fanIn` of them at a time, back
 * and forth between the numbers' own pages and as many at `spareFirstPage`. Returns where the sorted numbers are.
 */
export async function externalSort(
  memory: PagedMemory,
  numbers: PagedNumbers,
  spareFirstPage: number,
  { runPages, fanIn }: { readonly runPages: number; readonly fanIn: number },
): Promise<PagedNumbers> {
  const { pages } = numbers;
  const perPage = memory.pageBytes / numberBytes;
  const buffer = new Float64Array(runPages * perPage);
  for (let first = 0; first < pages; first += runPages) {
    const count = Math.min(runPages, pages - first);
    for (let page = 0; page < count; page++) {
      if (page + 1 < count) memory.prefetch(numbers.firstPage + first + page + 1);
      await memory.withPage(numbers.firstPage + first + page, false, (bytes) =>
        buffer.set(numbersOf(bytes), page * perPage),
      );
    }
    buffer.subarray(0, count * perPage).sort();
    for (let page = 0; page < count; page++) {
      const piece = buffer.subarray(page * perPage, (page + 1) * perPage);
      await memory.withPage(numbers.firstPage + first + page, true, (bytes) => numbersOf(bytes).set(piece));
    }
  }
  let from = numbers.firstPage;
  let to = spareFirstPage;
  for (let run = runPages; run < pages; run *= fanIn) {
    for (let first = 0; first < pages; first += run * fanIn) {
      await merge(memory, from, to, first, run, Math.min(pages, first + run * fanIn));
    }
    [from, to] = [to, from];
  }
  return { firstPage: from, pages };
}

/** Merges the runs of `run` pages each from `first` to `end`. */
async function merge(
  memory: PagedMemory,
  from: number,
  to: number,
  first: number,
  run: number,
  end: number,
): Promise<void> {
  const perPage = memory.pageBytes / numberBytes;
  const heap: Run[] = [];
  for (let page = first; page < end; page += run) {
    const endPage = from + Math.min(end, page + run);
    const one = { page: from + page, endPage, index: 0, numbers: new Float64Array(perPage) };
    await loadPage(memory, one);
    heap.push(one);
  }
  heap.sort((one, other) => currentOf(one) - currentOf(other));
  const out = new Float64Array(perPage);
  for (let page = first; page < end; page++) {
    for (let index = 0; index < perPage; index++) {
      const least = heap[0]!;
      out[index] = currentOf(least);
      if (++least.index === perPage) {
        memory.discard(least.page);
        least.page++;
        least.index = 0;
        if (least.page < least.endPage) await loadPage(memory, least);
        else {
          const last = heap.pop()!;
          if (heap.length > 0) heap[0] = last;
        }
      }
      if (heap.length > 1) sink(heap);
    }
    await memory.withPage(to + page, true, (bytes) => numbersOf(bytes).set(out));
  }
}

function currentOf(run: Run): number {
  return run.numbers[run.index]!;
}

/** Takes the numbers of the page that a run has come to, and begins to fetch the next page. */
async function loadPage(memory: PagedMemory, run: Run): Promise<void> {
  await memory.withPage(run.page, false, (bytes) => run.numbers.set(numbersOf(bytes)));
  if (run.page + 1 < run.endPage) memory.prefetch(run.page + 1);
}

/** Restores the heap after its first element has changed. */
function sink(heap: Run[]): void {
  const run = heap[0]!;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && currentOf(heap[child + 1]!) < currentOf(heap[child]!)) child++;
    if (currentOf(heap[child]!) >= currentOf(run)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = run;
}
