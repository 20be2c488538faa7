import { type ActorContext, type ActorRef, defineActor } from 'heddle';
import { type MemberMessages, type RoomMessages, roomName } from './messages.js';

const historyLines = 20;
/** An empty room goes when nothing has happened in it for this long. */
const emptyRoomMs = 60_000;

/** One room: who is in it, and what was said of late. Its members are a group, which it publishes to. */
export const Room = defineActor(import.meta.url, {
  name: 'room',
  receiveTimeoutMs: emptyRoomMs,
  state: (args: { name: string }) => ({
    name: args.name,
    members: new Map<string, ActorRef<MemberMessages>>(),
    history: [] as string[],
  }),
  handlers: {
    async join(state, who: { nick: string; member: ActorRef<MemberMessages> }, actor: ActorContext) {
      const { nick, member } = who;
      state.members.set(nick, member);
      actor.watch(member);
      await groupOf(state.name, actor).join(member);
      const before = [...state.history];
      publish(state.name, `* ${nick} joined`, actor);
      return before;
    },
    async leave(state, nick: string, actor: ActorContext) {
      const member = state.members.get(nick);
      if (member === undefined) return;
      actor.unwatch(member);
      state.members.delete(nick);
      await groupOf(state.name, actor).leave(member);
      publish(state.name, `* ${nick} left`, actor);
    },
    say(state, { nick, text }: { nick: string; text: string }, actor: ActorContext) {
      if (!state.members.has(nick)) return;
      const line = `${nick}: ${text}`;
      state.history.push(line);
      if (state.history.length > historyLines) state.history.shift();
      publish(state.name, line, actor);
    },
    names: (state) => [...state.members.keys()].sort(),
  },
  // A member whose client has hung up left the group by itself.
  onTerminated(state, { ref }, actor) {
    for (const [nick, member] of state.members) {
      if (!member.equals(ref)) continue;
      state.members.delete(nick);
      publish(state.name, `* ${nick} hung up`, actor);
    }
  },
  onReceiveTimeout(state, actor) {
    if (state.members.size === 0) void actor.stop();
  },
});

function groupOf(room: string, actor: ActorContext) {
  return actor.group<MemberMessages>(roomName(room));
}

function publish(room: string, line: string, actor: ActorContext): void {
  groupOf(room, actor).publish('show', `[${room}] ${line}`);
}

/** Makes the rooms, spread over the threads by their names, and restarts them when they fail. */
export const Rooms = defineActor(import.meta.url, {
  name: 'rooms',
  state: () => ({ names: new Set<string>() }),
  handlers: {
    async open(state, name: string, actor: ActorContext) {
      const known = actor.lookup<RoomMessages>(roomName(name));
      if (known !== undefined) return known;
      const room = await actor.spawn(Room, { name }, { on: { key: name }, name: roomName(name) });
      state.names.add(name);
      actor.watch(room);
      return room as ActorRef<RoomMessages>;
    },
    list: (state) => [...state.names].sort(),
  },
  onTerminated(state, _termination, actor) {
    for (const name of state.names) if (actor.lookup(roomName(name)) === undefined) state.names.delete(name);
  },
});
