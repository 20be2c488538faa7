import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { type Context, type ContextEvents, createNode, type ListenOptions } from '../../../src/index.js';
import { thenables, thrownValues } from '../../support/thrown-values.js';

async function connectTo(t: ExecutionContext, uri: string, handlers: ListenOptions) {
  const node = createNode();
  t.teardown(() => node.close());
  const server = await node.context.listen(uri, handlers);
  return { context: node.context, connection: await node.context.connect(server.uri) };
}

async function nextReport(context: Context): Promise<ContextEvents['report'][0]> {
  const [error] = (await once(context, 'report')) as ContextEvents['report'];
  return error;
}

for (const scheme of ['shm', 'tcp']) {
  const uriFor = (name: string) => (scheme === 'shm' ? `shm://${name}` : 'tcp://127.0.0.1:0');

  for (const [how, onRequest] of [
    ['returns', (message: { value: string }) => (message.value === 'bad' ? () => {} : message.value)],
    ['resolves to', async (message: { value: string }) => (message.value === 'bad' ? () => {} : message.value)],
  ] as const) {
    test(`what a handler ${how} and cannot be sent is its requester's error alone, over ${scheme}`, async (t) => {
      const { connection } = await connectTo(t, uriFor(`unsendable-${how.length}`), { onRequest });
      const [good, bad, after] = await Promise.allSettled(
        ['good', 'bad', 'after'].map((text) => connection.request(text)),
      );
      t.is(good!.status, 'fulfilled');
      t.is(after!.status, 'fulfilled');
      const { reason } = bad as PromiseRejectedResult;
      t.is(reason.code, 'ERR_HEDDLE_REMOTE');
      t.is(reason.remoteCode, 'ERR_HEDDLE_CODEC');
      t.true(connection.isOnline);
    });
  }
}

test('answering twice is an error that is reported, and the first answer counts', async (t) => {
  const { context, connection } = await connectTo(t, 'shm://answers-twice', {
    onRequest: (message) => {
      message.respond('first');
      message.respond('second');
    },
  });
  const report = nextReport(context);
  t.is((await connection.request('?')).value, 'first');
  t.is((await report).code, 'ERR_HEDDLE_ALREADY_ANSWERED');
});

test('a handler that answers and fails later is reported', async (t) => {
  const { context, connection } = await connectTo(t, 'shm://fails-later', {
    onRequest: async (message) => {
      message.keep().respond('fine');
      await Promise.resolve();
      throw new TypeError('too late');
    },
  });
  const report = nextReport(context);
  t.is((await connection.request('?')).value, 'fine');
  const { code, message } = await report;
  t.is(code, 'ERR_HEDDLE_INVALID_STATE');
  t.regex(message, /failed after its request was answered: TypeError: too late/);
});

test('the late failure of an answered request is not taken for the answer to another', async (t) => {
  let failFirst = () => {};
  const mayFail = new Promise<void>((resolve) => {
    failFirst = resolve;
  });
  let answerSecond = () => {};
  const mayAnswer = new Promise<string>((resolve) => {
    answerSecond = () => resolve('two');
  });
  const { context, connection } = await connectTo(t, 'shm://not-another', {
    onRequest: async (message) => {
      if (message.value === 'second') {
        failFirst();
        return mayAnswer;
      }
      message.respond('one');
      await mayFail;
      throw new TypeError('too late');
    },
  });
  const reported = nextReport(context).then((error) => {
    answerSecond();
    return error;
  });
  const [first, second] = await Promise.all([connection.request('first'), connection.request('second')]);
  t.is(first.value, 'one');
  t.is(second.value, 'two');
  t.regex((await reported).message, /too late/);
});

for (const uri of ['shm://odd-failures', 'tcp://127.0.0.1:0']) {
  test(`whatever a handler throws is told to its requester, at ${uri}`, async (t) => {
    const { connection } = await connectTo(t, uri, {
      onRequest: ({ value }) => {
        const { index, isAsync } = value as { index: number; isAsync: boolean };
        const thrown = thrownValues[index]![1]();
        if (isAsync) return Promise.reject(thrown);
        throw thrown;
      },
    });
    for (const [index, [title, , says]] of thrownValues.entries()) {
      for (const isAsync of [false, true]) {
        const error = await t.throwsAsync(connection.request({ index, isAsync }), undefined, title);
        t.regex(error?.message ?? '', says, title);
      }
    }
    t.true(connection.isOnline);
  });

  test(`what is something like a promise is one, at ${uri}`, async (t) => {
    const { connection } = await connectTo(t, uri, {
      onRequest: ({ value }) => thenables[value as number]![1]() as Promise<unknown>,
    });
    for (const [index, [title, , value, error]] of thenables.entries()) {
      const [outcome] = await Promise.allSettled([connection.request(index)]);
      if (outcome.status === 'fulfilled') t.is(outcome.value.value, value, title);
      else t.regex((outcome.reason as Error).message, error as RegExp, title);
    }
    t.true(connection.isOnline);
  });

  test(`a one-way message whose handler throws something odd is reported, at ${uri}`, async (t) => {
    const { context, connection } = await connectTo(t, uri, {
      onMessage: ({ value }) => {
        throw thrownValues[value as number]![1]();
      },
      onRequest: () => 'still there',
    });
    for (const [index, [title, , says]] of thrownValues.entries()) {
      const report = nextReport(context);
      connection.send(index);
      t.regex((await report).message, says, title);
    }
    t.is((await connection.request('?')).value, 'still there');
  });
}
