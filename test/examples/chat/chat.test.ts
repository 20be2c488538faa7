import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { projectFolder } from '../../support/project.js';

/** A client as nc is one. */
class Client {
  readonly #socket: Socket;
  readonly #lines: string[] = [];
  readonly #reader: Interface;
  #notify: () => void = () => {};
  #isClosed = false;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('error', () => {});
    this.#reader = createInterface({ input: this.#socket });
    this.#reader.on('line', (line) => {
      this.#lines.push(line);
      this.#notify();
    });
    this.#reader.on('close', () => {
      this.#isClosed = true;
      this.#notify();
    });
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  /** The next line that fits; those before it are passed over. */
  async expect(pattern: RegExp): Promise<string> {
    const passedOver: string[] = [];
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (pattern.test(line)) return line;
        passedOver.push(line);
      }
      if (this.#isClosed) throw new Error(`hung up before ${pattern}; it said ${passedOver.join(' | ')}`);
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  async closed(): Promise<void> {
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

async function openChat(t: ExecutionContext) {
  const chat: ChildProcess = spawn(process.execPath, ['dist/examples/chat/main.js', '--port', '0', '--contexts', '2'], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(chat, 'exit');
  t.teardown(() => chat.kill('SIGKILL'));
  let port = 0;
  for await (const line of createInterface({ input: chat.stdout! })) {
    port = Number(/nc 127\.0\.0\.1 (\d+)/.exec(line)?.[1] ?? 0);
    if (port > 0) break;
  }
  const join = async (nick: string, room: string) => {
    const client = new Client(port);
    t.teardown(() => client.hangUp());
    client.send(`/nick ${nick}`);
    await client.expect(new RegExp(`^you are ${nick}$`));
    client.send(`/join ${room}`);
    await client.expect(new RegExp(`^you are in ${room}, which lives on worker-[12]$`));
    return client;
  };
  return { chat, ended, port, join };
}

test('people meet in rooms, talk, whisper, and leave', async (t) => {
  const { port, join } = await openChat(t);
  const ada = await join('ada', 'lobby');
  const bob = await join('bob', 'lobby');
  await ada.expect(/^\[lobby\] \* bob joined$/);
  bob.send('hello');
  await ada.expect(/^\[lobby\] bob: hello$/);
  await bob.expect(/^\[lobby\] bob: hello$/);

  const eve = await join('eve', 'attic');
  eve.send('is anybody here?');
  await eve.expect(/^\[attic\] eve: is anybody here\?$/);
  eve.send('/msg ada psst');
  t.is(await ada.expect(/psst|anybody/), 'eve to you: psst', 'what is said in another room is not heard');
  await eve.expect(/^you to ada: psst$/);
  eve.send('/msg zoe psst');
  await eve.expect(/^nobody is called zoe$/);
  eve.send('/rooms');
  await eve.expect(/^rooms: attic, lobby$/);

  eve.send('/join lobby');
  await eve.expect(/^you left attic$/);
  t.is(await eve.expect(/^\[lobby\] bob/), '[lobby] bob: hello', 'what was said before');
  eve.send('/who');
  await eve.expect(/^in lobby: ada, bob, eve$/);

  bob.hangUp();
  await ada.expect(/^\[lobby\] \* bob hung up$/);
  const thief = new Client(port);
  t.teardown(() => thief.hangUp());
  thief.send('/nick ada');
  await thief.expect(/^ada is taken$/);
  thief.send('/nick bob');
  await thief.expect(/^you are bob$/);
  thief.send('what?');
  await thief.expect(/^you are in no room: \/join ROOM$/);
  thief.send('/dance');
  await thief.expect(/^there is no \/dance; \/help lists the commands$/);
  thief.send('/help');
  await thief.expect(/^anything else is said to the room$/);
  thief.send('/quit');
  await thief.expect(/^bye$/);
  await thief.closed();
});

test('a line that is too long ends that connection, and no other', async (t) => {
  const { port, join } = await openChat(t);
  const ada = await join('ada', 'lobby');
  const flood = new Client(port);
  t.teardown(() => flood.hangUp());
  flood.send('x'.repeat(5000));
  await flood.closed();
  ada.send('still here');
  t.is(await ada.expect(/ada: /), '[lobby] ada: still here');
});

test('SIGTERM ends the chat in order', async (t) => {
  const { chat, ended, join } = await openChat(t);
  const ada = await join('ada', 'lobby');
  chat.kill('SIGTERM');
  await ada.closed();
  t.deepEqual(await ended, [null, 'SIGTERM']);
});
