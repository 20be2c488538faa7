import { type ConnectionOptions, defaultConnectionOptions } from '../../src/index.js';
import { initialOptions, row } from './bench.js';
import type { TestedTransport } from './transports.js';

const live: Partial<ConnectionOptions> = {
  sendQueueDepthMessages: 7,
  sendQueueDepthBytes: 70_000,
  inlineLimitBytes: 700,
  requestTimeoutMs: 7_000,
  closeTimeoutMs: 700,
  keepaliveIdleMs: 7_000,
  keepaliveIntervalMs: 700,
  keepaliveProbes: 7,
  reconnectDelayMs: 7,
};
const fixed: Partial<ConnectionOptions> = {
  receiveDepthMessages: 70,
  receiveDepthBytes: 70_000,
  connectTimeoutMs: 7_000,
  reconnectTimeoutMs: 700,
};

/** Behaviour 12: options. */
export function registerOptions(transport: TestedTransport): void {
  row(
    transport,
    'Behaviour 12 options: every one can be given and read, live ones can be set while running',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      t.deepEqual(Object.keys({ ...live, ...fixed }).sort(), Object.keys(defaultConnectionOptions).sort());
      t.deepEqual(connection.options, initialOptions);
      for (const [name, value] of Object.entries(live)) {
        connection.setOptions({ [name]: value });
        t.is(connection.options[name as keyof ConnectionOptions], value);
      }
      for (const [name, value] of Object.entries(fixed)) {
        t.throws(() => connection.setOptions({ [name]: value }), {
          code: 'ERR_HEDDLE_INVALID_STATE',
          message: new RegExp(name),
        });
      }
      t.is((await connection.request('works')).value, 'works');
      const { connection: other } = await bench.connect(uri, { options: { ...live, ...fixed } });
      t.deepEqual(other.options, { ...live, ...fixed } as ConnectionOptions);
      t.is((await other.request('works')).value, 'works');
    },
  );

  row(transport, 'Behaviour 12 options: wrong names and values are refused, and change nothing', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    for (const name of Object.keys(defaultConnectionOptions)) {
      for (const value of [-1, 1.5, Number.NaN, '5', 2 ** 40]) {
        const changes = { [name]: value } as Partial<ConnectionOptions>;
        t.throws(
          () => bench.context.open(uri, { options: changes }),
          { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: new RegExp(name) },
          `${name}=${value}`,
        );
      }
    }
    const typo = { keepAliveIdleMs: 5 } as Partial<ConnectionOptions>;
    t.throws(() => connection.setOptions(typo), { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /keepaliveIdleMs/ });
    t.throws(() => bench.context.open(uri, { options: typo }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    await t.throwsAsync(bench.context.listen(transport.portal(), { options: typo }), {
      code: 'ERR_HEDDLE_INVALID_ARGUMENT',
    });
    t.deepEqual(connection.options, initialOptions);
    t.is(bench.context.connectionCount, 1);
  });

  row(transport, 'Behaviour 12 options: of a context, and what its connections begin with', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    bench.context.setOptions({ pollingMicros: 0, turnBudgetMicros: 100, connection: { requestTimeoutMs: 1_234 } });
    const options = bench.context.getOptions();
    t.is(options.pollingMicros, 0);
    t.is(options.turnBudgetMicros, 100);
    t.is(options.connection.requestTimeoutMs, 1_234);
    const { connection } = await bench.connect(uri);
    t.is(connection.options.requestTimeoutMs, 1_234);
    t.is((await connection.request('asleep at once')).value, 'asleep at once');
    t.throws(() => bench.context.setOptions({ slabLimitBytes: 1 }), { code: 'ERR_HEDDLE_INVALID_STATE' });
    t.throws(() => bench.context.setOptions({ pollingMicros: -1 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    await peer.handle.setOptions({ pollingMicros: 5 });
    t.is((await peer.handle.getOptions()).pollingMicros, 5);
    t.is((await connection.request('still')).value, 'still');
  });
}
