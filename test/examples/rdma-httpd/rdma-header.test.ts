import test from 'ava';
import fc from 'fast-check';
import { formatOffer, parseOffer } from '../../../examples/rdma-httpd/rdma-header.js';

const offer = {
  uri: 'tcp://127.0.0.1:4000',
  token: '0123456789abcdef0123456789abcdef',
  stream: 7,
  mode: 'client-reads',
} as const;

test('an offer is read as it was written', (t) => {
  t.deepEqual(parseOffer(formatOffer(offer)), offer);
  t.deepEqual(
    parseOffer(formatOffer({ ...offer, uri: 'rdma://[::1]:1', mode: 'server-writes' }))?.uri,
    'rdma://[::1]:1',
  );
});

test('anything else is no offer', (t) => {
  const text = formatOffer(offer);
  for (const wrong of [
    undefined,
    '',
    'yes',
    text.replace('uri=tcp:', 'uri='),
    text.replace('0123', 'XYZ'),
    text.replace('stream=7', 'stream=-7'),
    text.replace('client-reads', 'server-reads'),
    text.replace('; stream=7', ''),
    `${text}; stream=8`,
    `${text}; `,
    `${text}; more=${'x'.repeat(1000)}`,
  ]) {
    t.is(parseOffer(wrong), undefined, String(wrong));
  }
  fc.assert(fc.property(fc.string(), (noise) => parseOffer(noise) === undefined));
});
