import test from 'ava';
import { createNode } from '../src/index.js';
import { selfSignedCertificate } from './transports/tcp/certificate.js';

test('tcp portals and links use TLS, on both sides with certificates, when a context has the option', async (t) => {
  const { key, cert } = selfSignedCertificate();
  const node = createNode({
    contextOptions: {
      // Plain data: what it names goes to node:tls, and so can be given to a context on another thread, too.
      tls: { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true },
    },
  });
  t.teardown(() => node.close());
  const server = await node.context.listen('tcp://localhost:0', { onRequest: ({ value }) => `secret ${value}` });
  const connection = await node.context.connect(server.uri);
  t.is((await connection.request('words')).value, 'secret words');
});

test('a client without TLS, or without a certificate that the service knows, does not get in', async (t) => {
  const ours = selfSignedCertificate();
  const theirs = selfSignedCertificate();
  const tls = { ...ours, key: ours.key, ca: ours.cert, requestCert: true, rejectUnauthorized: true };
  const node = createNode({ contextOptions: { tls } });
  const plain = createNode();
  const stranger = createNode({ contextOptions: { tls: { ...theirs, ca: ours.cert } } });
  t.teardown(() => Promise.all([node.close(), plain.close(), stranger.close()]));
  node.on('report', () => {});
  node.context.on('report', () => {});
  const server = await node.context.listen('tcp://localhost:0', { onRequest: () => t.fail('a stranger was served') });
  for (const { context } of [plain, stranger]) {
    const error = await t.throwsAsync(context.connect(server.uri, { options: { connectTimeoutMs: 3000 } }));
    t.regex((error as { code?: string }).code ?? '', /^ERR_HEDDLE_(REFUSED|PROTOCOL|DISCONNECTED)$/);
  }
});
