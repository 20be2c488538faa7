import test from 'ava';
import { createNode } from '../../../src/index.js';
import { loadBinding } from '../../../src/transports/rdma/binding.js';

/** The little of it that is used here: its types stand in those of browsers. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object): Promise<{ readonly exports: unknown }>;
  readonly RuntimeError: new () => Error;
};

/** `(module (memory 1) (func (export "peek") (param i32) (result i32) local.get 0 i32.load))` */
const peekModule = Buffer.from(
  '0061736d0100000001060160017f017f03020100050301000107080104' + '7065656b00000a0901070020002802000b',
  'hex',
);

test('after UCX is loaded and used, an access of WebAssembly out of bounds is an exception still', async (t) => {
  const version = loadBinding().loadUcx();
  t.regex(version, /^1\.\d+/);
  const node = createNode();
  await node.context.listen('rdma://127.0.0.1:0');

  const module = await WebAssembly.compile(peekModule);
  const { peek } = (await WebAssembly.instantiate(module)).exports as { peek(address: number): number };
  t.is(peek(0), 0);
  t.throws(() => peek(0x7fff_fff0), { instanceOf: WebAssembly.RuntimeError });
  await node.close();
});
