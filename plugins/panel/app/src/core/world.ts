/** What is known of the call centre: a snapshot, and every event since, folded in. No DOM, no clock. */

import type {
  Caller, ConferenceRoom, ExtensionState, Line, MemberStatus, ParkedCall, Presence, Queue, Server, ServerState,
  Snapshot, UserState,
} from "@telepulse/client";

/** An extension, wherever it was heard of. */
export interface Extension {
  key: string;
  server: string;
  agent: string;
  name: string;
  status: UserState | undefined;
  device: ExtensionState;
  presence: Presence | undefined;
  lines: Line[];
  /** The queues it serves, and how. */
  queues: Map<string, Member>;
  /** When anything was heard of it last: milliseconds since 1970. */
  heard: number;
}

/** One extension in one queue. */
export interface Member {
  agent: string;
  queue: string;
  name: string;
  status: MemberStatus;
  penalty: number;
  callsTaken: number;
  reason: string | undefined;
  lastCall: string | undefined;
}

/** A queue. */
export interface QueueState {
  key: string;
  server: string;
  queue: string;
  callers: Caller[];
  members: Map<string, Member>;
  /** Counted since the page began to look. */
  served: Served;
}

/** What became of callers. */
export interface Served {
  answered: number;
  inTime: number;
  abandoned: number;
}

/** A server, and since when it has not been heard. */
export interface ServerHealth {
  server: string;
  state: ServerState;
  reason: string | undefined;
  asterisk: string | undefined;
  since: number;
  /** Since when what it tells is old; undefined while it is connected. */
  lost: number | undefined;
  /** When the state was last read anew after a loss. */
  resynced: number | undefined;
  /** When its last event happened. */
  heard: number | undefined;
}

/** What pops up for the user. */
export interface Popup {
  call: string;
  server: string;
  agent: string;
  number: string;
  state: "down" | "ringing" | "up" | "closed";
  reason: string | undefined;
  since: number;
}

/** What somebody knows of a caller. */
export interface CallerKnown {
  number: string;
  info: unknown;
  source: string;
  cached: boolean;
}

/** Words for an extension. */
export interface Message {
  agent: string | undefined;
  from: string | undefined;
  text: string;
  time: number;
}

export interface World {
  extensions: Map<string, Extension>;
  queues: Map<string, QueueState>;
  servers: Map<string, ServerHealth>;
  parked: ParkedCall[];
  conferences: ConferenceRoom[];
  popups: Map<string, Popup>;
  known: Map<string, CallerKnown>;
  /** The user's own phone, whose pop-ups are kept; its server, where that is known. */
  own: { agent: string; server: string | undefined } | undefined;
  /** Service levels count from here. */
  since: number;
}

export const keyOf = (server: string, name: string): string => `${server}/${name}`;

export function emptyWorld(now: number): World {
  return {
    extensions: new Map(), queues: new Map(), servers: new Map(), parked: [], conferences: [],
    popups: new Map(), known: new Map(), own: undefined, since: now,
  };
}

/** The world that a snapshot tells; of the one before, what no snapshot has is kept. */
export function fromSnapshot(snapshot: Snapshot, before: World, now: number): World {
  const { popups, known, own, since } = before;
  const world: World = { ...emptyWorld(now), popups, known, own, since };
  for (const server of snapshot.servers) world.servers.set(server.server, health(server, before));
  for (const user of snapshot.users) {
    const extension = extensionOf(world, user.server, user.agent, now);
    extension.name = user.name ?? "";
    extension.status = user.status;
    extension.device = user.extensionStatus;
    extension.presence = user.presence;
  }
  for (const { server, agent, lines } of snapshot.lines) extensionOf(world, server, agent, now).lines = lines;
  for (const queue of snapshot.queues) takeQueue(world, queue, before, now);
  world.parked = snapshot.parked;
  world.conferences = snapshot.conferences;
  const calls = new Set(snapshot.calls.map(({ call }) => call));
  for (const [key, popup] of popups) {
    if (popup.state === "closed" || calls.has(popup.call)) continue;
    // Its end was missed. A note can still be written.
    popups.set(key, { ...popup, state: "closed" });
  }
  for (const call of known.keys()) if (!calls.has(call)) dropKnown(world, call);
  return world;
}

function health(server: Server, before: World): ServerHealth {
  const old = before.servers.get(server.server);
  const since = Date.parse(server.since);
  const connected = server.state === "CONNECTED";
  return {
    server: server.server, state: server.state, reason: server.reason, asterisk: server.asterisk, since,
    lost: connected ? undefined : (old?.lost ?? since), resynced: old?.resynced, heard: old?.heard,
  };
}

function takeQueue(world: World, queue: Queue, before: World, now: number): void {
  const state = queueOf(world, queue.server, queue.queue);
  state.served = before.queues.get(state.key)?.served ?? state.served;
  state.callers = [...queue.callers];
  for (const agent of queue.members) {
    const { agent: number, name, status, penalty, callsTaken, reason, lastCall } = agent;
    const member: Member = { agent: number, queue: queue.queue, name, status, penalty, callsTaken, reason, lastCall };
    state.members.set(number, member);
    extensionOf(world, queue.server, number, now).queues.set(queue.queue, member);
  }
}

/** The extension, made if it is not known yet. */
export function extensionOf(world: World, server: string, agent: string, now: number): Extension {
  const key = keyOf(server, agent);
  let extension = world.extensions.get(key);
  if (!extension) {
    extension = {
      key, server, agent, name: "", status: undefined, device: "unknown", presence: undefined, lines: [],
      queues: new Map(), heard: now,
    };
    world.extensions.set(key, extension);
  }
  return extension;
}

/** What is known of a caller goes with the last pop-up of the call. */
export function dropKnown(world: World, call: string): void {
  for (const popup of world.popups.values()) if (popup.call === call) return;
  world.known.delete(call);
}

export function dropPopup(world: World, key: string): void {
  const popup = world.popups.get(key);
  if (!popup) return;
  world.popups.delete(key);
  dropKnown(world, popup.call);
}

/** Whether what pops up there pops up for the user. */
export function isOwn({ own }: World, agent: string, server: string): boolean {
  return own?.agent === agent && (own.server === undefined || server === "" || server === own.server);
}

/** From now on this is the user's phone; what popped up on another one goes. */
export function useOwn(world: World, own: World["own"]): void {
  world.own = own;
  for (const [key, { agent, server }] of world.popups) if (!isOwn(world, agent, server)) dropPopup(world, key);
}

export function queueOf(world: World, server: string, queue: string): QueueState {
  const key = keyOf(server, queue);
  let state = world.queues.get(key);
  if (!state) {
    const served = { answered: 0, inTime: 0, abandoned: 0 };
    state = { key, server, queue, callers: [], members: new Map(), served };
    world.queues.set(key, state);
  }
  return state;
}
