import type { ContextMain, RegionWay } from 'heddle';

interface Task {
  readonly uri: string;
  readonly times: number;
}

/** Counts in memory of another context. */
export default (async (context, { uri, times }) => {
  const connection = await context.connect(uri);
  const { value: handle } = await connection.request('handle');
  const region = await connection.openRegion(handle);
  const startMs = performance.now();
  for (let time = 0; time < times; time++) await region.fetchAdd(0, 1n);
  return { way: region.way, perSecond: (1000 * times) / (performance.now() - startMs) };
}) satisfies ContextMain<Task, { way: RegionWay; perSecond: number }>;
