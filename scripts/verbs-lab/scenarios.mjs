/** UCX over the guest's RDMA device and nothing else: without it, connecting fails rather than falls back. */
const verbs = 'export UCX_TLS=rc_verbs,rdmacm,self UCX_NET_DEVICES=$DEVICE:1';
const twoHosts = `${verbs}\nexec node dist/test/verbs/two-hosts.js`;

/**
 * The conformance suite. The rows that cut a wire put a proxy before the portal: it takes a connection manager that goes by
 * sockets. Threads start slowly in an emulated machine.
 */
const conformance = `export UCX_TLS=rc_verbs,tcp,self UCX_SOCKADDR_TLS_PRIORITY=tcp
export HEDDLE_TEST_RDMA_HOST=$IP HEDDLE_TEST_TIMEOUT_MS=180000
exec node node_modules/ava/entrypoints/cli.mjs --serial --timeout=200s dist/test/conformance/rdma.test.js`;
/** Rows of the suite that tell of the wire most, in the minutes that there are. */
const rows = [
  'Objects link*',
  'Behaviour 1 establishment: accept*',
  'Behaviour 3 closing: what the other side*',
  'Behaviour 4 receipts: of a request, when its handler has returned*',
  'Behaviour 10*',
  'Behaviour 11 one-sided: reads and writes*',
  'Behaviour 11 one-sided: atomic operations of many*',
  'Behaviour 11 one-sided: a revoked region*',
];

/**
 * What the lab runs. Each counts as passed when every guest's command exits with 0, and at least `packets` packets went
 * through each guest's device meanwhile.
 */
export const scenarios = [
  {
    name: 'conformance',
    title: 'rows of the conformance suite over verbs, in one guest',
    guests: 1,
    command: `${conformance} ${rows.map((row) => `--match '${row}'`).join(' ')}`,
    timeoutMs: 15 * 60_000,
    packets: 1000,
  },
  {
    name: 'two-hosts',
    title: 'messages, regions and failures between two guests',
    guests: 2,
    command: twoHosts,
    timeoutMs: 5 * 60_000,
    packets: 1000,
  },
  {
    name: 'netem',
    title: 'the same, on a wire that delays packets and loses some',
    guests: 2,
    netem: 'delay 1ms loss 0.1%',
    command: twoHosts,
    timeoutMs: 8 * 60_000,
    packets: 1000,
  },
  {
    name: 'conformance-all',
    title: 'the whole conformance suite over verbs, in one guest',
    isOnRequest: true,
    guests: 1,
    command: conformance,
    timeoutMs: 60 * 60_000,
    packets: 10_000,
  },
];
