import test from 'ava';
import { Packr } from 'msgpackr';
import { type Codec, createNode, HeddleError, registerCodec } from '../../../src/index.js';

const packr = new Packr({ useRecords: false, moreTypes: true });

/** A codec as a user writes one around a library. */
const msgpackr: Codec = {
  name: 'msgpackr',
  encodeInto(value, target, start, end) {
    const bytes = this.encode(value);
    if (bytes.length > end - start) return -1;
    target.set(bytes, start);
    return start + bytes.length;
  },
  encode: (value) => Buffer.from(packr.pack(value)),
  decode(source, start, end) {
    try {
      return packr.unpack(Buffer.from(source.subarray(start, end)));
    } catch (cause) {
      throw new HeddleError('ERR_HEDDLE_CODEC', `msgpackr cannot decode a message: ${String(cause)}`, { cause });
    }
  },
};

test('a registered codec carries what its library carries, small and large', async (t) => {
  registerCodec(msgpackr);
  const node = createNode({ contextOptions: { codec: 'msgpackr' } });
  t.teardown(() => node.close());
  const server = await node.context.listen('tcp://127.0.0.1:0', { onRequest: (message) => message.value });
  const connection = await node.context.connect(server.uri);
  const small = { name: 'heddle', at: new Date(7), set: new Set([1, 2]), nested: [null, true, 1.5] };
  t.deepEqual((await connection.request(small)).value, small);
  const large = { text: 'x'.repeat(100_000) };
  t.deepEqual((await connection.request(large)).value, large);
});

test('a name that is taken, and one that nobody has, are refused', async (t) => {
  t.throws(() => registerCodec({ ...msgpackr, name: 'json' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' } as never);
  const node = createNode({ contextOptions: { codec: 'nobody' } });
  t.teardown(() => node.close());
  await t.throwsAsync(async () => node.context.listen('tcp://127.0.0.1:0', {}), {
    code: 'ERR_HEDDLE_INVALID_ARGUMENT',
  } as never);
});
