import test from 'ava';
import fc from 'fast-check';
import {
  type Conversation,
  clusterVersion,
  drawNonce,
  isProof,
  prove,
  secretKey,
} from '../../../src/runtime/cluster/proof.js';

const key = secretKey('a secret for tests, long enough');

function conversation(): Conversation {
  return {
    client: { node: 'a-1', place: 0, nonce: drawNonce() },
    server: { node: 'b-2', place: 3, nonce: drawNonce() },
    channel: Buffer.alloc(0),
  };
}

test('a proof holds for what it was made of, and for nothing else', (t) => {
  const talk = conversation();
  const proof = prove(key, 'client', talk);
  t.is(proof.length, 32);
  t.true(isProof(proof, key, 'client', talk));
  const { client, server, channel } = talk;
  const others: [string, Conversation][] = [
    ['another nonce of the client', { ...talk, client: { ...client, nonce: drawNonce() } }],
    ['another nonce of the server', { ...talk, server: { ...server, nonce: drawNonce() } }],
    ['another node', { ...talk, client: { ...client, node: 'a-2' } }],
    ['another context', { ...talk, server: { ...server, place: 0 } }],
    ['the two sides changed over', { client: server, server: client, channel }],
    ['another channel', { ...talk, channel: Buffer.from('x') }],
  ];
  for (const [what, other] of others) t.false(isProof(proof, key, 'client', other), what);
  t.false(isProof(proof, key, 'server', talk), 'reflected');
  t.false(isProof(proof, secretKey('another secret, long enough'), 'client', talk), 'another secret');
  t.false(isProof(proof, secretKey(undefined), 'client', talk), 'no secret');
  t.false(isProof(proof.subarray(0, 31), key, 'client', talk), 'too short');
  t.false(isProof(Buffer.concat([proof, proof]), key, 'client', talk), 'too long');
  t.is(clusterVersion, 1);
});

test('no field can be taken for part of another', (t) => {
  const text = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(text, text, text, text, (a, b, c, d) => {
      const of = (client: string, server: string): Conversation => ({
        client: { node: client, place: 1, nonce: Buffer.from('n') },
        server: { node: server, place: 1, nonce: Buffer.from('n') },
        channel: Buffer.alloc(0),
      });
      const isSame = a === c && b === d;
      return isProof(prove(key, 'client', of(a, b)), key, 'client', of(c, d)) === isSame;
    }),
  );
  t.pass();
});

test('a secret must be long enough', (t) => {
  t.throws(() => secretKey('short'), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => secretKey(''), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.is(secretKey(undefined).length, 0);
});
