/** Figures of a queue and of all: how long they wait, who could answer, how many were served in time. */

import type { MemberStatus } from "@telepulse/client";
import { bucket, mood } from "./tile";
import type { QueueState, Served, World } from "./world";

/** In per cent; undefined while nobody has been served or lost. */
export function serviceLevel({ answered, inTime, abandoned }: Served): number | undefined {
  const offered = answered + abandoned;
  return offered === 0 ? undefined : Math.round((inTime / offered) * 100);
}

/** How good a level is, by the target of the settings. */
export function toneOf(level: number | undefined, target: number): "good" | "fair" | "poor" | undefined {
  if (level === undefined) return undefined;
  if (level >= target) return "good";
  return level >= target - 15 ? "fair" : "poor";
}

/** Since when the longest waiting caller waits. */
export function longestSince(queue: QueueState): number | undefined {
  return queue.callers.reduce<number | undefined>((first, caller) => {
    const since = Date.parse(caller.since);
    return first === undefined || since < first ? since : first;
  }, undefined);
}

export interface Staff {
  free: number;
  busy: number;
  paused: number;
  away: number;
}

const OF_STATUS: Record<MemberStatus, keyof Staff> = {
  not_inuse: "free", inuse: "busy", busy: "busy", ringing: "busy", ringinuse: "busy", onhold: "busy",
  paused: "paused", loggedoff: "away", unavailable: "away", unknown: "away",
};

export function staff(queue: QueueState): Staff {
  const all: Staff = { free: 0, busy: 0, paused: 0, away: 0 };
  for (const member of queue.members.values()) all[OF_STATUS[member.status]] += 1;
  return all;
}

export interface Overview {
  /** Servers that are out of reach: of what goes on there now, nothing is counted. */
  without: string[];
  waiting: number;
  longest: number | undefined;
  calls: number;
  free: number;
  ringing: number;
  resting: number;
  served: Served;
}

export function overview(world: World): Overview {
  const without = [...world.servers.values()].filter(({ lost }) => lost !== undefined).map(({ server }) => server).sort();
  const isOld = new Set(without);
  const served: Served = { answered: 0, inTime: 0, abandoned: 0 };
  let waiting = 0;
  let longest: number | undefined;
  for (const queue of world.queues.values()) {
    // What was counted stays true.
    served.answered += queue.served.answered;
    served.inTime += queue.served.inTime;
    served.abandoned += queue.served.abandoned;
    if (isOld.has(queue.server)) continue;
    waiting += queue.callers.length;
    const since = longestSince(queue);
    if (since !== undefined && (longest === undefined || since < longest)) longest = since;
  }
  const calls = new Set<string>();
  const counts = { busy: 0, ringing: 0, free: 0, resting: 0, offline: 0 };
  for (const extension of world.extensions.values()) {
    if (isOld.has(extension.server)) continue;
    counts[bucket(mood(extension))] += 1;
    for (const line of extension.lines) calls.add(line.call);
  }
  return { without, waiting, longest, calls: calls.size, free: counts.free, ringing: counts.ringing, resting: counts.resting, served };
}
