import test from 'ava';
import { LazyTransport } from '../../src/transports/lazy-transport.js';
import type { Link, Portal, Transport, TransportOptions } from '../../src/transports/transport.js';

const options: TransportOptions = { connectTimeoutMs: 1000, frameBytes: 4096, socketBufferBytes: 4096 };

/** Notes what is asked of it. */
class NotingTransport implements Transport {
  readonly scheme = 'noting';
  readonly calls: string[] = [];

  async listen(uri: string): Promise<Portal> {
    this.calls.push(`listen ${uri}`);
    return { uri, close: async () => {} };
  }

  async connect(uri: string): Promise<Link> {
    this.calls.push(`connect ${uri}`);
    return { peerAddress: uri } as Link;
  }

  poll(budgetRecords: number): number {
    this.calls.push('poll');
    return budgetRecords;
  }

  beginSleep(): boolean {
    this.calls.push('beginSleep');
    return false;
  }

  endSleep(): void {
    this.calls.push('endSleep');
  }

  async close(): Promise<void> {
    this.calls.push('close');
  }
}

function lazily(load = async (inner: NotingTransport) => inner) {
  const inner = new NotingTransport();
  const loaded: Transport[] = [];
  let loads = 0;
  const lazy = new LazyTransport<NotingTransport>(
    'noting',
    () => {
      loads++;
      return load(inner);
    },
    (transport) => loaded.push(transport),
  );
  return { lazy, inner, loaded, loads: () => loads };
}

test('nothing is loaded by what needs no wire', async (t) => {
  const { lazy, loads } = lazily();
  t.is(lazy.poll(10), 0);
  t.true(lazy.beginSleep());
  lazy.endSleep();
  await lazy.close();
  t.is(loads(), 0);
  t.is(lazy.loaded, undefined);
});

test('is loaded once, told of before it is used, and does everything from then on', async (t) => {
  const { lazy, inner, loaded, loads } = lazily();
  const [portal, link] = await Promise.all([lazy.listen('noting://a', options), lazy.connect('noting://b', options)]);
  t.is(portal.uri, 'noting://a');
  t.is(link.peerAddress, 'noting://b');
  t.is(loads(), 1);
  t.deepEqual(loaded, [inner]);
  t.is(lazy.loaded, inner);
  t.is(lazy.poll(7), 7);
  t.false(lazy.beginSleep());
  lazy.endSleep();
  await lazy.close();
  t.deepEqual(inner.calls, ['listen noting://a', 'connect noting://b', 'poll', 'beginSleep', 'endSleep', 'close']);
});

test('closed while it is being loaded, it is closed after those who waited for it have come', async (t) => {
  let finish: () => void = () => {};
  const { lazy, inner } = lazily(async (transport) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return transport;
  });
  const connecting = lazy.connect('noting://a', options);
  const closing = lazy.close();
  finish();
  await connecting;
  await closing;
  t.deepEqual(inner.calls, ['connect noting://a', 'close']);
});

test('loads nothing any more once it is closed', async (t) => {
  const { lazy, loads } = lazily();
  await lazy.close();
  await t.throwsAsync(lazy.connect('noting://a', options), { code: 'ERR_HEDDLE_CLOSED' });
  await t.throwsAsync(lazy.listen('noting://a', options), { code: 'ERR_HEDDLE_CLOSED' });
  t.is(loads(), 0);
});

test('a failure to load is told, and the next use tries again', async (t) => {
  let failures = 1;
  const { lazy, inner, loads } = lazily(async (transport) => {
    if (failures-- > 0) throw new Error('no such module');
    return transport;
  });
  await t.throwsAsync(lazy.connect('noting://a', options), { message: 'no such module' });
  await lazy.connect('noting://b', options);
  t.is(loads(), 2);
  await lazy.close();
  t.deepEqual(inner.calls, ['connect noting://b', 'close']);
});
