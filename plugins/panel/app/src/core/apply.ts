/** Folds one event into the world, and says what of it changed. */

import type { AgentCompleteEvent, Event, OtherEvent, QueueCallerEvent, QueueMemberStatusEvent, ServerStatusEvent } from "@telepulse/client";
import { dropKnown, dropPopup, extensionOf, isOwn, keyOf, queueOf, type Member, type Message, type World } from "./world";

/** What an event, or several, changed. */
export interface Touched {
  extensions: Set<string>;
  queues: Set<string>;
  /** Extensions came that were not there. */
  listed: boolean;
  servers: boolean;
  popups: boolean;
  /** To be asked for again: events do not tell all of it. */
  parked: boolean;
  conferences: boolean;
  messages: Message[];
  /** Dials that came to nothing, by their `actionId`. */
  failed: { actionId: string; reason: string }[];
}

export function nothing(): Touched {
  return {
    extensions: new Set(), queues: new Set(), listed: false, servers: false, popups: false, parked: false,
    conferences: false, messages: [], failed: [],
  };
}

/** Events that the page needs; what is not here is not sent to it. */
export const WANTED = [
  "serverStatus", "resync", "userStatus", "activeLines", "extensionStatus", "agentName", "presence",
  "queueMemberStatus", "queueCaller", "parked", "unparked", "conference", "popup", "callerInfo", "callEnded",
  "message", "originateFailed", "agentComplete",
];

/** So much is kept of what has not been told to the user yet. */
const MOST = 100;

/** `target`: seconds within which an answer counts as in time. */
export function apply(world: World, told: Event | OtherEvent, target: number, touched: Touched): void {
  const event = told as Event;
  const time = Date.parse(event.time);
  const health = world.servers.get(event.server);
  if (health) health.heard = time;
  switch (event.event) {
    case "serverStatus":
      return serverStatus(world, event, time, touched);
    case "resync":
      if (health) health.resynced = time;
      touched.servers = true;
      return;
    case "queueMemberStatus":
      return member(world, event, time, touched);
    case "queueCaller":
      return caller(world, event, touched);
    case "agentComplete":
      return answered(world, event, target, touched);
    case "parked":
    case "unparked":
      touched.parked = true;
      return;
    case "conference":
      touched.conferences = true;
      return;
    case "popup":
      return popup(world, event, time, touched);
    case "callerInfo":
      world.known.set(event.call, { number: event.number, info: event.info, source: event.source, cached: event.cached });
      touched.popups = true;
      return;
    case "callEnded":
      // A note can still be written: what pops up goes when the user says so, or a new one comes.
      if (event.mergedInto !== undefined) merge(world, event.server, event.call, event.mergedInto, touched);
      return dropKnown(world, event.call);
    case "message":
      add(touched.messages, { agent: event.agent, from: event.from, text: event.text, time });
      return;
    case "originateFailed":
      add(touched.failed, { actionId: event.actionId, reason: event.reason });
      return;
    default:
      return ofExtension(world, event, time, touched);
  }
}

/** A hidden page takes nothing up for hours: it keeps the last ones. */
function add<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > MOST) list.shift();
}

function ofExtension(world: World, event: Event, time: number, touched: Touched): void {
  const change = changeOf(event);
  if (!change || !("agent" in event) || event.agent === undefined) return;
  const known = world.extensions.size;
  const extension = extensionOf(world, event.server, event.agent, time);
  Object.assign(extension, change);
  extension.heard = time;
  touched.extensions.add(extension.key);
  if (world.extensions.size !== known || event.event === "agentName") touched.listed = true;
}

function changeOf(event: Event) {
  switch (event.event) {
    case "activeLines":
      return { lines: event.lines };
    case "extensionStatus":
      return { device: event.status };
    case "userStatus":
      return { status: event.status };
    case "agentName":
      return { name: event.name };
    case "presence": {
      const { state, subtype, message } = event;
      return { presence: { state, ...(subtype && { subtype }), ...(message && { message }) } };
    }
    default:
      return undefined;
  }
}

function serverStatus(world: World, event: ServerStatusEvent, time: number, touched: Touched): void {
  touched.servers = true;
  const { server, state, reason } = event;
  if (state === "REMOVED") return forget(world, server, touched);
  const old = world.servers.get(server);
  const lost = state === "CONNECTED" ? undefined : (old?.lost ?? time);
  world.servers.set(server, {
    server, state, reason, since: time, lost,
    asterisk: old?.asterisk, resynced: old?.resynced, heard: time,
  });
}

/** A server that was taken away takes with it what it told. */
function forget(world: World, server: string, touched: Touched): void {
  world.servers.delete(server);
  for (const [key, extension] of world.extensions) if (extension.server === server) world.extensions.delete(key);
  for (const [key, queue] of world.queues) {
    if (queue.server !== server) continue;
    world.queues.delete(key);
    touched.queues.add(key);
  }
  touched.listed = touched.parked = touched.conferences = true;
}

function member(world: World, event: QueueMemberStatusEvent, time: number, touched: Touched): void {
  const { server, agent, queue, status, penalty, callsTaken, reason, lastCall } = event;
  if (agent === undefined || queue === undefined) return;
  const state = queueOf(world, server, queue);
  if (!world.extensions.has(keyOf(server, agent))) touched.listed = true;
  const extension = extensionOf(world, server, agent, time);
  extension.heard = time;
  touched.queues.add(state.key);
  touched.extensions.add(extension.key);
  if (status === "loggedoff") {
    state.members.delete(agent);
    extension.queues.delete(queue);
    return;
  }
  const name = state.members.get(agent)?.name ?? extension.name;
  const is: Member = { agent, queue, name, status, penalty, callsTaken, reason, lastCall };
  state.members.set(agent, is);
  extension.queues.set(queue, is);
}

function caller(world: World, event: QueueCallerEvent, touched: Touched): void {
  if (event.queue === undefined) return;
  const state = queueOf(world, event.server, event.queue);
  touched.queues.add(state.key);
  const others = state.callers.filter((one) => one.call !== event.call);
  if (event.change === "joined") {
    const { call, number, name, position } = event;
    others.splice(Math.max(0, position - 1), 0, { call, number, name, position, since: event.time });
  } else if (event.change === "abandoned") {
    // Who left otherwise was answered, or waited too long, or went elsewhere: that is not told here.
    state.served.abandoned += 1;
  }
  state.callers = others.map((one, at) => (one.position === at + 1 ? one : { ...one, position: at + 1 }));
}

/** Somebody took a caller out of a queue: told when they have talked, with how long the caller waited. */
function answered(world: World, event: AgentCompleteEvent, target: number, touched: Touched): void {
  const { served, key } = queueOf(world, event.server, event.queue);
  served.answered += 1;
  if (event.holdTime <= target) served.inTime += 1;
  touched.queues.add(key);
}

/** A call goes on as another one. */
function merge(world: World, server: string, call: string, into: string, touched: Touched): void {
  for (const [key, queue] of world.queues) {
    if (queue.server !== server || !queue.callers.some((one) => one.call === call)) continue;
    queue.callers = queue.callers.map((one) => (one.call === call ? { ...one, call: into } : one));
    touched.queues.add(key);
  }
  const known = world.known.get(call);
  if (known && !world.known.has(into)) world.known.set(into, known);
  for (const [key, popup] of world.popups) {
    if (popup.call !== call) continue;
    const next = keyOf(popup.agent, into);
    world.popups.delete(key);
    if (!world.popups.has(next)) world.popups.set(next, { ...popup, call: into });
  }
  touched.popups = true;
}

function popup(world: World, event: Event & { event: "popup" }, time: number, touched: Touched): void {
  const { agent, call, server, number, state, reason } = event;
  if (agent === undefined || !isOwn(world, agent, server)) return;
  const key = keyOf(agent, call);
  const old = world.popups.get(key);
  touched.popups = true;
  if (state === "down" || (state === "closed" && reason === "byHand")) return dropPopup(world, key);
  // What the user has closed stays so.
  if (state === "closed" && !old) return;
  if (!old) {
    for (const [other, one] of world.popups) if (one.agent === agent && one.state === "closed") dropPopup(world, other);
  }
  world.popups.set(key, { agent, call, server, number, state, reason, since: old?.since ?? time });
}
