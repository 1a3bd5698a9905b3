/** What can be done with an extension, a line, a caller, a parked call: commands ready to be given. */

import type { Command, Line, ParkedCall, TransferKind, Who } from "@telepulse/client";
import { may } from "./rights";
import { foremost } from "./tile";
import type { Extension, Member, World } from "./world";

/** In the order in which they are offered. */
export type ActionId =
  | "dial" | "pickup" | "hangup" | "transfer" | "park" | "recordStart" | "recordPause" | "recordResume" | "recordStop"
  | "mute" | "unmute" | "spy" | "whisper" | "barge" | "message" | "queuePause" | "queueUnpause" | "queueAdd"
  | "queueRemove" | "fetch" | "send" | "conferenceKick" | "conferenceMute" | "conferenceUnmute" | "conferenceLock"
  | "conferenceUnlock";

/** An action that needs nothing more. */
export interface Ready {
  id: ActionId;
  command: Command;
}

/** The user, and the phone with which they act. */
export interface Actor {
  who: Who;
  phone: string | undefined;
  /** The server that the phone is on; undefined if that is not known. */
  server: string | undefined;
}

const talks = (line: Line) => line.state === "up" || line.state === "hold" || line.state === "conference";

/** Who takes part in a line's call, as far as is seen: `:own` reaches to those. */
export function parties(world: World, extension: Extension, line: Line | undefined): string[] {
  if (!line) return [extension.agent];
  const others = [...world.extensions.values()].filter(
    (other) => other.server === extension.server && other.lines.some((one) => one.call === line.call),
  );
  return [extension.agent, ...others.map((other) => other.agent)];
}

/** The servers that have this number. */
export function homes(everybody: readonly Extension[], phone: string | undefined): string[] {
  return everybody.filter(({ agent }) => agent === phone).map(({ server }) => server);
}

/** The server that the phone is on: the one that was chosen, if there are several. */
export function home(homes: readonly string[], chosen: string | undefined): string | undefined {
  return homes.length > 1 ? homes.find((server) => server === chosen) : homes[0];
}

/** What can be done with an extension as such. */
export function ofExtension(actor: Actor, extension: Extension): Ready[] {
  const { who, phone, server: from } = actor;
  const { server, agent } = extension;
  if (phone === undefined || from === undefined || (phone === agent && from === server)) return [];
  const ready: Ready[] = [];
  if (may(who, "dial", [phone])) ready.push({ id: "dial", command: { action: "dial", from: phone, to: agent, server: from } });
  // One server does not know what goes on at another.
  if (from !== server) return ready;
  const rings = extension.lines.some((line) => line.state === "ringing");
  if (rings && may(who, "pickup", [phone])) {
    ready.push({ id: "pickup", command: { action: "pickup", agent: phone, target: agent, server } });
  }
  const line = foremost(extension.lines);
  if (line && talks(line)) {
    for (const action of ["spy", "whisper", "barge"] as const) {
      if (may(who, action, [phone])) {
        ready.push({ id: action, command: { action, agent: phone, target: line.channel, server } });
      }
    }
  }
  return ready;
}

/** The line as a command names it: by its extension where that has no other. */
export function target(extension: Extension, line: Line): { agent: string } | { channel: string } {
  return extension.lines.length === 1 ? { agent: extension.agent } : { channel: line.channel };
}

/** What can be done with one line. */
export function ofLine(actor: Actor, world: World, extension: Extension, line: Line): Ready[] {
  const { who } = actor;
  const { server } = extension;
  const about = parties(world, extension, line);
  const which = target(extension, line);
  const ready: Ready[] = [];
  const add = (id: ActionId, action: string, command: Command) => {
    if (may(who, action, about)) ready.push({ id, command });
  };
  add("hangup", "hangup", { action: "hangup", ...which, server });
  if (line.state === "up" || line.state === "hold") add("park", "park", { action: "park", ...which, server });
  if (talks(line)) {
    const record = (change: "start" | "pause" | "resume" | "stop"): Command => ({ action: "record", ...which, change, server });
    if (!line.recording) add("recordStart", "record", record("start"));
    else {
      if (line.recordingPaused) add("recordResume", "record", record("resume"));
      else add("recordPause", "record", record("pause"));
      add("recordStop", "record", record("stop"));
    }
    const mute = line.muted ? "unmute" : "mute";
    add(mute, mute, { action: mute, channel: line.channel, server });
  }
  return ready;
}

/**
 * Who goes when a line is handed over. A command's `channel` and `call` name the one that moves, which is the other
 * side; its `agent` the one that hands over. The other side is named wherever that is known; the agent where it has one
 * call only, so that no other can be meant.
 */
function leaving(world: World, extension: Extension, line: Line): { channel: string } | { call: string } | { agent: string } | undefined {
  const [other, ...more] = [...world.extensions.values()]
    .filter(({ server, key }) => server === extension.server && key !== extension.key)
    .flatMap(({ lines }) => lines.filter((one) => one.call === line.call && talks(one)));
  if (other && more.length === 0) return { channel: other.channel };
  if (extension.lines.length === 1) return { agent: extension.agent };
  // The caller goes.
  if (!other && line.direction === "in") return { call: line.call };
  return undefined;
}

/** Whether a line can be handed over, and how. An attended transfer takes a phone that talks to both. */
export function transfers(actor: Actor, world: World, extension: Extension, line: Line): TransferKind[] {
  return (["blind", "attended", "voicemail"] as const).filter((kind) => transfer(actor, world, extension, line, "", kind));
}

/** The command, if the line can be handed over that way. */
export function transfer(
  { who }: Actor, world: World, extension: Extension, line: Line, to: string, kind: TransferKind,
): Command | undefined {
  if (!talks(line) || !may(who, "transfer", parties(world, extension, line))) return undefined;
  const { agent, server, lines } = extension;
  const which = kind !== "attended" ? leaving(world, extension, line) : lines.length === 1 ? { agent } : undefined;
  return which && { action: "transfer", ...which, to, kind, server };
}

/** What can be done with a member of a queue. */
export function ofMember(actor: Actor, server: string, member: Member): Ready[] {
  const { agent, queue } = member;
  const ready: Ready[] = [];
  const change = member.status === "paused" ? "queueUnpause" : "queuePause";
  if (may(actor.who, change, [agent])) ready.push({ id: change, command: { action: change, agent, queue, server } });
  if (may(actor.who, "queueRemove", [agent])) {
    ready.push({ id: "queueRemove", command: { action: "queueRemove", agent, queue, server } });
  }
  return ready;
}

/** A parked call, taken by the phone of who asks: another server's does not know where it is parked. */
export function fetch(actor: Actor, call: ParkedCall): Ready | undefined {
  const { who, phone } = actor;
  if (phone === undefined || actor.server !== call.server || !may(who, "dial", [phone])) return undefined;
  return { id: "fetch", command: { action: "dial", from: phone, to: call.space, server: call.server } };
}

/** What dropping one extension on another can mean. */
export type Drop =
  | { kind: "dial"; command: Command }
  | { kind: "pickup"; command: Command }
  | { kind: "transfer"; how: TransferKind; command: Command };

/** `channel`: the line that was dragged, or undefined if there was none; about another nothing is done. */
export function drops(
  actor: Actor, world: World, from: Extension, onto: Extension, channel: string | undefined,
): Drop[] {
  if (from.key === onto.key || from.server !== onto.server) return [];
  const { who } = actor;
  const { server } = from;
  const line = from.lines.find((one) => one.channel === channel);
  if (!line) {
    if (channel !== undefined || from.lines.length > 0 || !may(who, "dial", [from.agent])) return [];
    return [{ kind: "dial", command: { action: "dial", from: from.agent, to: onto.agent, server } }];
  }
  if (line.state === "ringing") {
    if (!may(who, "pickup", [onto.agent])) return [];
    return [{ kind: "pickup", command: { action: "pickup", agent: onto.agent, target: from.agent, server } }];
  }
  return transfers(actor, world, from, line).flatMap((how) => {
    const command = transfer(actor, world, from, line, onto.agent, how);
    return command ? [{ kind: "transfer" as const, how, command }] : [];
  });
}
