import test from 'ava';
import { formatHostUri, parseHostUri } from '../../src/transports/host-uri.js';

const good: [string, 'listen' | 'connect', string, number][] = [
  ['tcp://127.0.0.1:7000', 'connect', '127.0.0.1', 7000],
  ['tcp://localhost:7000', 'listen', '127.0.0.1', 7000],
  ['TCP://LocalHost:7000/service/a?b#c', 'connect', '127.0.0.1', 7000],
  ['tcp://:0', 'listen', '127.0.0.1', 0],
  ['tcp://:7000', 'connect', '127.0.0.1', 7000],
  ['tcp://*:7000', 'listen', '*', 7000],
  ['tcp://0.0.0.0:0', 'listen', '0.0.0.0', 0],
  ['tcp://[::1]:65535', 'connect', '::1', 65535],
  ['tcp://[0:0:0:0:0:0:0:1]:1', 'connect', '::1', 1],
  ['tcp://[FE80::1%eth0]:1', 'connect', 'fe80::1%eth0', 1],
  ['tcp://Node-1.Example.com.:80', 'connect', 'node-1.example.com', 80],
];

for (const [uri, use, host, port] of good) {
  test(`${use} ${uri}`, (t) => {
    const address = parseHostUri('tcp', uri, use);
    t.is(address.host, host);
    t.is(address.port, port);
    if (host !== '*') t.is(parseHostUri('tcp', formatHostUri('tcp', host, port), 'listen').host, host);
  });
}

const bad: [string, 'listen' | 'connect'][] = [
  ['', 'listen'],
  ['127.0.0.1:7000', 'connect'],
  ['http://localhost:80', 'connect'],
  ['tcp:localhost:80', 'connect'],
  ['tcp://localhost', 'connect'],
  ['tcp://localhost:', 'listen'],
  ['tcp://localhost:65536', 'listen'],
  ['tcp://localhost:-1', 'listen'],
  ['tcp://localhost:0', 'connect'],
  ['tcp://*:80', 'connect'],
  ['tcp://::1:80', 'connect'],
  ['tcp://[::1:80', 'connect'],
  ['tcp://[127.0.0.1]:80', 'connect'],
  ['tcp://user@host:80', 'connect'],
  ['tcp://256.0.0.1:80', 'connect'],
  ['tcp://a..b:80', 'connect'],
  ['tcp://-a:80', 'connect'],
  ['tcp://a b:80', 'connect'],
];

for (const [uri, use] of bad) {
  test(`refused: ${use} ${JSON.stringify(uri)}`, (t) => {
    const error = t.throws(() => parseHostUri('tcp', uri, use), { code: 'ERR_HEDDLE_INVALID_URI' });
    t.regex(error?.message ?? '', /uri="/);
  });
}
