import test from 'ava';
import { defaultRdma } from '../../../examples/rdma-httpd/config.js';
import {
  HookChain,
  type HttpConnection,
  type HttpRequest,
  type Module,
  type OutputFilter,
} from '../../../examples/rdma-httpd/hooks.js';
import { rdmaModule } from '../../../examples/rdma-httpd/rdma-module.js';
import { createNode } from '../../../src/index.js';

const config = { folder: '.', workerUri: 'shm://none', rdma: defaultRdma };
const next: OutputFilter = { head: () => {}, write: async () => {}, end: async () => {} };

test('hooks are called module by module, and the first answer counts', async (t) => {
  const calls: string[] = [];
  const moduleOf = (name: string, isHandler: boolean): Module => ({
    name,
    postConfig: () => void calls.push(`${name} post-config`),
    childInit: async () => void calls.push(`${name} child-init`),
    preConnection: () => void calls.push(`${name} pre-connection`),
    insertFilter: async () => void calls.push(`${name} insert-filter`),
    handle: async () => {
      calls.push(`${name} handle`);
      return isHandler ? { status: 200, fields: { by: name }, body: (async function* () {})() } : undefined;
    },
  });
  const chain = new HookChain([moduleOf('a', false), { name: 'empty' }, moduleOf('b', true), moduleOf('c', true)]);
  const request = {} as HttpRequest;
  await chain.postConfig(config);
  await chain.childInit({ config } as never);
  chain.preConnection({} as HttpConnection);
  await chain.insertFilter(request);
  t.is((await chain.handle(request)).fields.by, 'b');
  t.deepEqual(
    calls,
    ['post-config', 'child-init', 'pre-connection', 'insert-filter']
      .flatMap((hook) => ['a', 'b', 'c'].map((name) => `${name} ${hook}`))
      .concat(['a handle', 'b handle']),
  );
  await t.throwsAsync(new HookChain([]).handle({ method: 'GET', target: '/' } as HttpRequest), {
    message: /no module/,
  });
});

test('post-config refuses what cannot carry a body', (t) => {
  t.notThrows(() => rdmaModule.postConfig!(config));
  t.throws(() => rdmaModule.postConfig!({ ...config, rdma: { ...defaultRdma, slots: 0 } }), { message: /slots=0/ });
});

test('pre-connection attaches a filter and a cleanup; without an offer the filter is not there', async (t) => {
  const node = createNode();
  const worker = { context: node.context, config };
  await rdmaModule.childInit!(worker);
  const connection: HttpConnection = {
    id: 1,
    worker,
    peerAddress: '127.0.0.1',
    signal: new AbortController().signal,
    outputFilters: [],
    cleanups: [],
  };
  rdmaModule.preConnection!(connection);
  t.is(connection.outputFilters.length, 1);
  t.is(connection.cleanups.length, 1);
  const request: HttpRequest = { id: 1, connection, method: 'GET', target: '/', fields: {} };
  await rdmaModule.insertFilter!(request);
  t.is(connection.outputFilters[0]!(request, next), next);
  await connection.cleanups[0]!();
  await node.close();
});
