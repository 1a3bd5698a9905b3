/** What a tile shows of an extension: one mood, with whom, since when, and how fresh that is. */

import type { Line } from "@telepulse/client";
import type { Extension, ServerHealth, World } from "./world";

/** In words that the catalogue and the style sheet know. */
export type Mood =
  | "ringing" | "dialing" | "talking" | "hold" | "conference" | "parked"
  | "free" | "paused" | "dnd" | "away" | "offline" | "unknown" | "busy";

/** The filter by mood knows these. */
export type Bucket = "busy" | "ringing" | "free" | "resting" | "offline";

export interface Tile {
  key: string;
  server: string;
  agent: string;
  title: string;
  named: boolean;
  mood: Mood;
  /** The line that it shows: the one that rings, else the one that talks. */
  line: Line | undefined;
  more: number;
  recording: "off" | "on" | "paused";
  muted: boolean;
  spied: boolean;
  /** Why the phone rests, or what its user says of it. */
  words: string;
  /** Since when what is shown may be wrong. */
  stale: number | undefined;
}

const URGENCY: Record<Line["state"], number> = {
  ringing: 6, up: 5, conference: 5, dialing: 4, hold: 3, moh: 2, parked: 1,
};

const OF_LINE: Record<Line["state"], Mood> = {
  ringing: "ringing", up: "talking", conference: "conference", dialing: "dialing", hold: "hold", moh: "hold",
  parked: "parked",
};

/** The line to show: the most urgent, of equals the first. */
export function foremost(lines: readonly Line[]): Line | undefined {
  return lines.reduce<Line | undefined>(
    (best, line) => (!best || URGENCY[line.state] > URGENCY[best.state] ? line : best),
    undefined,
  );
}

export function mood(extension: Extension): Mood {
  const line = foremost(extension.lines);
  if (line) return OF_LINE[line.state];
  return ofDevice(extension) ?? ofPresence(extension) ?? ofQueues(extension);
}

function ofDevice({ device, status }: Extension): Mood | undefined {
  if (status === "offline" || device === "unavailable") return "offline";
  switch (device) {
    case "ringing":
      return "ringing";
    case "inuse":
    case "ringinuse":
    case "busy":
      return "busy";
    case "onhold":
      return "hold";
    case "unknown":
      return status === "online" ? undefined : "unknown";
    default:
      return undefined;
  }
}

function ofPresence({ presence }: Extension): Mood | undefined {
  switch (presence?.state) {
    case "dnd":
      return "dnd";
    case "away":
    case "xa":
    case "unavailable":
      return "away";
    default:
      return undefined;
  }
}

/** Paused everywhere it serves. */
function ofQueues({ queues }: Extension): Mood {
  let paused = queues.size > 0;
  for (const member of queues.values()) paused &&= member.status === "paused";
  return paused ? "paused" : "free";
}

export function bucket(mood: Mood): Bucket {
  switch (mood) {
    case "ringing":
      return "ringing";
    case "free":
      return "free";
    case "paused":
    case "dnd":
    case "away":
      return "resting";
    case "offline":
    case "unknown":
      return "offline";
    default:
      return "busy";
  }
}

/** What its user is called: by the phone, else by a queue. */
export function nameOf(extension: Extension): string {
  if (extension.name) return extension.name;
  for (const { name } of extension.queues.values()) if (name !== extension.agent && !name.includes("/")) return name;
  return "";
}

/** Since when a server's tiles are old: the page lost the gateway, or that lost the server. */
export function staleSince(health: ServerHealth | undefined, gatewayLost: number | undefined): number | undefined {
  const lost = health?.lost;
  if (lost === undefined) return gatewayLost;
  return gatewayLost === undefined ? lost : Math.min(lost, gatewayLost);
}

/** Since when what is shown of a server may be wrong. */
export const staleOf = (world: World, server: string, gatewayLost: number | undefined): number | undefined =>
  staleSince(world.servers.get(server), gatewayLost);

/** How long it lasts, or lasted when it was last known. */
export const lasted = (time: number, now: number, stale: number | undefined): number => Math.max(0, (stale ?? now) - time);

export function tileOf(world: World, extension: Extension, gatewayLost: number | undefined): Tile {
  const line = foremost(extension.lines);
  const recorded = extension.lines.find((one) => one.recording);
  return {
    key: extension.key,
    server: extension.server,
    agent: extension.agent,
    title: nameOf(extension) || extension.agent,
    named: nameOf(extension) !== "",
    mood: mood(extension),
    line,
    more: Math.max(0, extension.lines.length - 1),
    recording: !recorded ? "off" : recorded.recordingPaused ? "paused" : "on",
    muted: extension.lines.some((one) => one.muted),
    spied: extension.lines.some((one) => (one.spiedBy?.length ?? 0) > 0),
    words: words(extension),
    stale: staleSince(world.servers.get(extension.server), gatewayLost),
  };
}

function words({ presence, queues }: Extension): string {
  if (presence?.message) return presence.message;
  for (const member of queues.values()) if (member.status === "paused" && member.reason) return member.reason;
  return presence?.subtype ?? "";
}
