import type { ActorRef } from 'heddle';

/** Somebody at the other end of a socket. */
export interface MemberMessages {
  /** The client has sent a line. */
  line(text: string): void;
  /** A line for the client. */
  show(text: string): void;
}

export interface RoomMessages {
  /** Replies with the last lines that were said. Refuses who is in already. */
  join(who: { readonly nick: string; readonly member: ActorRef<MemberMessages> }): readonly string[];
  leave(nick: string): void;
  say(what: { readonly nick: string; readonly text: string }): void;
  names(): readonly string[];
}

export interface RoomsMessages {
  /** The room of that name, which is made when there is none. */
  open(name: string): ActorRef<RoomMessages>;
  list(): readonly string[];
}

/** What nicks and rooms may be called. */
export const namePattern = /^[\w-]{1,20}$/;
/** The name of a member in the system's registry: nobody else can have it. */
export const nickName = (nick: string): string => `nick:${nick}`;
export const roomName = (room: string): string => `room:${room}`;
