/** UCX over the guest's RDMA device and nothing else: without it, connecting fails rather than falls back. */
const verbs = 'export UCX_TLS=rc_verbs,rdmacm,self UCX_NET_DEVICES=$DEVICE:1';
/**
 * The same, but that connections are made by sockets: for proxies between client and portal, and because SoftRoCE takes no new
 * connection by the RDMA connection manager after its interface was down.
 */
const verbsBySockets = 'export UCX_TLS=rc_verbs,tcp,self UCX_SOCKADDR_TLS_PRIORITY=tcp';
/**
 * For a wire that loses packets. SoftRoCE learns of most losses by the end of UCX's timeout alone, one second, and a large
 * message goes as one read by the device, which the other end's signs of life wait behind: four losses in it are four seconds.
 */
const verbsOnLossyWire = `${verbs} UCX_RC_TIMEOUT=250ms`;
const twoHosts = 'exec node dist/test/verbs/two-hosts.js';

const matching = (rows) => rows.map((row) => `--match '${row}'`).join(' ');
/** What differs by who carries the reads and writes out. Numbers are counted by records either way. */
const rowsByDevice = [
  'Regions go by the wire alone*',
  'Behaviour 11 one-sided: reads and writes*',
  'Behaviour 11 one-sided: none of the owner*',
  'Behaviour 11 one-sided: a revoked region*',
  'Behaviour 11 one-sided: a signal ends*',
  'Behaviour 11 one-sided: the connection*s end settles*',
  'Behaviour 11 one-sided: a region dies*',
  'Behaviour 11 one-sided: more contexts open*',
  'Behaviour 11 one-sided: after a reconnect*',
];
/** Rows of the suite that tell of the wire most, in the minutes that there are. */
const rowsBetweenHosts = [
  'Objects link*',
  'Behaviour 1 establishment: accept*',
  'Behaviour 3 closing: what the other side*',
  'Behaviour 4 receipts: of a request, when its handler has returned*',
  'Behaviour 9*sizes*',
  'Behaviour 10*',
  'Behaviour 11 one-sided: reads and writes*',
  'Behaviour 11 one-sided: atomic operations of many*',
  'Behaviour 11 one-sided: a revoked region*',
];
/** Of these the ones in which it matters that both ends have the same device, and the same process. */
const rowsInOneHost = [
  'Behaviour 3 closing: what the other side*',
  'Behaviour 10*',
  'Behaviour 11 one-sided: atomic operations of many*',
  'Behaviour 11 one-sided: a revoked region*',
];

/** Threads start slowly in an emulated machine. */
const patience = 'export HEDDLE_TEST_RDMA_HOST=$IP HEDDLE_TEST_TIMEOUT_MS=300000';
const ava = 'node node_modules/ava/entrypoints/cli.mjs --serial --timeout=320s';
const oneHost = (rows) => `${verbsBySockets}
${patience}
exec ${ava} dist/test/conformance/rdma.test.js ${matching(rows)}`;
/** The contexts of guest 1's tests are in guest 0, until guest 1 says that it is done. */
const betweenHosts = (rows) => `${verbsBySockets}
${patience}
if [ $GUEST = 0 ]; then
  node dist/test/conformance/fixtures/peer-host.js $IP 7998 &
  until [ -e /lab/conformance.done ]; do kill -0 $! || exit 1; sleep 1; done
  kill $!
  exit 0
fi
trap 'touch /lab/conformance.done' EXIT
for ((try = 0; try < 600; try++)); do (: </dev/tcp/$PEER/7998) 2>/dev/null && break; sleep .2; done
HEDDLE_TEST_PEERS=$PEER:7998 ${ava} dist/test/conformance/rdma-processes.test.js ${matching(rows)}`;

/**
 * What the lab runs. Each counts as passed when every guest's command exits with 0, and at least `packets` packets went
 * through each guest's device meanwhile.
 */
export const scenarios = [
  {
    name: 'conformance',
    title: 'rows of the conformance suite over verbs, in one guest',
    guests: 1,
    command: oneHost(rowsInOneHost),
    timeoutMs: 25 * 60_000,
    packets: 1000,
  },
  {
    name: 'conformance-hosts',
    title: 'rows of the conformance suite over verbs, between two guests',
    guests: 2,
    command: betweenHosts(rowsBetweenHosts),
    timeoutMs: 25 * 60_000,
    packets: 1000,
  },
  {
    name: 'one-sided',
    title: 'regions that the device reads and writes, in one guest',
    guests: 1,
    command: `${verbsBySockets}
${patience}
exec ${ava} dist/test/conformance/rdma-one-sided.test.js ${matching(rowsByDevice)}`,
    timeoutMs: 25 * 60_000,
    packets: 10_000,
  },
  {
    name: 'two-hosts',
    title: 'messages, regions and failures between two guests',
    guests: 2,
    command: `${verbs}\n${twoHosts} reboot talk readers failures silence`,
    mayReset: true,
    timeoutMs: 10 * 60_000,
    packets: 1000,
  },
  {
    name: 'link',
    title: 'a link that goes down and up again',
    guests: 2,
    command: `${verbsBySockets}\n${twoHosts} unplug`,
    timeoutMs: 5 * 60_000,
    packets: 10,
  },
  {
    name: 'netem',
    title: 'messages, regions and failures on a wire that delays packets and loses some',
    guests: 2,
    netem: 'delay 1ms loss 0.1%',
    command: `${verbsOnLossyWire}\n${twoHosts} talk failures`,
    timeoutMs: 10 * 60_000,
    packets: 1000,
  },
  {
    name: 'cluster-memory',
    title: 'pages of a memory server in another process, moved by the device, in one guest',
    isLong: true,
    guests: 1,
    command: `${verbs}
${patience}
exec ${ava} dist/test/examples/cluster-memory/processes.test.js --match '*over rdma'`,
    timeoutMs: 10 * 60_000,
    packets: 500,
  },
  {
    name: 'soak',
    title: 'a random soak of three contexts over verbs, in one guest',
    isLong: true,
    guests: 1,
    command: `${verbs}
export HEDDLE_TEST_RDMA_HOST=$IP
exec node dist/test/soak/main.js --transport rdma --seed 8 --seconds 60`,
    timeoutMs: 25 * 60_000,
    packets: 10_000,
  },
  {
    name: 'conformance-all',
    title: 'the whole conformance suite over verbs, in one guest',
    isLong: true,
    guests: 1,
    command: oneHost([]),
    timeoutMs: 150 * 60_000,
    packets: 10_000,
  },
  {
    name: 'conformance-hosts-all',
    title: 'the whole conformance suite over verbs, between two guests',
    isLong: true,
    guests: 2,
    command: betweenHosts([]),
    timeoutMs: 150 * 60_000,
    packets: 10_000,
  },
];
