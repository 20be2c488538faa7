import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type ActorContext, type ActorRef, defineActor, HeddleError } from 'heddle';
import { type MemberMessages, namePattern, nickName, type RoomMessages, type RoomsMessages } from './messages.js';

interface State {
  readonly socket: Socket;
  readonly rooms: ActorRef<RoomsMessages>;
  nick: string | undefined;
  room: { readonly name: string; readonly ref: ActorRef<RoomMessages> } | undefined;
}

const help = [
  '/nick NAME       takes a name',
  '/join ROOM       goes into a room, and leaves the one before',
  '/leave           leaves the room',
  '/rooms           lists the rooms',
  '/who             lists who is in the room',
  '/msg NAME TEXT   says something to one person',
  '/quit            hangs up',
  'anything else is said to the room',
];

/** What each command does, with the words behind it. */
const commands: Readonly<Record<string, (state: State, rest: string, actor: ActorContext) => unknown>> = {
  help: (state) => help.map((line) => write(state, line)),
  nick: takeNick,
  join,
  leave,
  rooms: async (state) => write(state, `rooms: ${(await state.rooms.ask('list')).join(', ') || 'none'}`),
  who: async (state) => {
    if (state.room === undefined) return write(state, 'you are in no room');
    return write(state, `in ${state.room.name}: ${(await state.room.ref.ask('names')).join(', ')}`);
  },
  msg: (state, rest, actor) => {
    const [, nick = '', text = ''] = /^(\S+)\s+(.*)$/.exec(rest) ?? [];
    const other = actor.lookup<MemberMessages>(nickName(nick));
    if (state.nick === undefined) return write(state, 'take a name first: /nick NAME');
    if (other === undefined) return write(state, `nobody is called ${nick}`);
    other.tell('show', `${state.nick} to you: ${text}`);
    return write(state, `you to ${nick}: ${text}`);
  },
  quit: (state) => state.socket.end('bye\r\n'),
};

/**
 * One client. It lives where its socket is, in the main thread; rooms live elsewhere. A client that does not read holds up
 * nobody: of what waits for it the oldest lines are dropped.
 */
export const Member = defineActor(import.meta.url, {
  name: 'member',
  mailbox: { capacity: 200, whenFull: 'drop-oldest' },
  state: async (args: { socket: Socket; rooms: ActorRef<RoomsMessages> }): Promise<State> => {
    const state = { ...args, nick: undefined, room: undefined };
    await write(state, 'welcome! take a name with /nick NAME, then /join lobby; /help tells the rest');
    return state;
  },
  handlers: {
    async line(state, text: string, actor: ActorContext) {
      const [, name = '', rest = ''] = /^\/(\w*)\s*(.*)$/.exec(text) ?? [];
      try {
        if (text.startsWith('/')) {
          const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
          if (command === undefined) await write(state, `there is no /${name}; /help lists the commands`);
          else await command(state, rest.trim(), actor);
        } else if (text.trim() !== '') {
          if (state.room === undefined) await write(state, 'you are in no room: /join ROOM');
          else state.room.ref.tell('say', { nick: state.nick ?? '', text });
        }
      } catch (error) {
        // A room that failed or took too long: its members stay, and may try again.
        if (!(error instanceof HeddleError)) throw error;
        await write(state, `that did not work: ${error.message}`);
      }
    },
    async show(state, text: string) {
      await write(state, text);
    },
  },
  onStop(state) {
    state.socket.destroy();
  },
});

/** Writes a line; waits while the client does not keep up. */
async function write({ socket }: Pick<State, 'socket'>, line: string): Promise<void> {
  if (socket.destroyed || socket.writableEnded || socket.write(`${line}\r\n`)) return;
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

async function takeNick(state: State, nick: string, actor: ActorContext): Promise<void> {
  if (!namePattern.test(nick)) return write(state, 'a name has 1 to 20 letters, digits, _ or -');
  if (state.room !== undefined) return write(state, 'leave the room first: /leave');
  try {
    await actor.register(nickName(nick));
  } catch (error) {
    if (!(error instanceof HeddleError && error.code === 'ERR_HEDDLE_NAME_IN_USE')) throw error;
    return write(state, `${nick} is taken`);
  }
  if (state.nick !== undefined && state.nick !== nick) await actor.unregister(nickName(state.nick));
  state.nick = nick;
  return write(state, `you are ${nick}`);
}

async function join(state: State, name: string, actor: ActorContext): Promise<void> {
  if (state.nick === undefined) return write(state, 'take a name first: /nick NAME');
  if (!namePattern.test(name)) return write(state, "a room's name has 1 to 20 letters, digits, _ or -");
  await leave(state);
  const ref = await state.rooms.ask('open', name);
  state.room = { name, ref };
  const before = await ref.ask('join', { nick: state.nick, member: actor.self });
  await write(state, `you are in ${name}, which lives on ${ref.contextName}`);
  for (const line of before) await write(state, `[${name}] ${line}`);
}

async function leave(state: State): Promise<void> {
  if (state.room === undefined || state.nick === undefined) return;
  const { name, ref } = state.room;
  state.room = undefined;
  await ref.ask('leave', state.nick);
  await write(state, `you left ${name}`);
}
