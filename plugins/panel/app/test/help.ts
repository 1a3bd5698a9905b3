/** A small call centre to test with. */

import type { Event, Line, Snapshot, Who } from "@telepulse/client";
import { apply, nothing, type Touched } from "../src/core/apply";
import { emptyWorld, fromSnapshot, type Extension, type World } from "../src/core/world";

export const NOW = Date.parse("2026-11-22T10:00:00.000Z");
export const time = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

export function line(fields: Partial<Line> = {}): Line {
  return {
    call: "c1", channel: "PJSIP/101-1", direction: "in", number: "0911", name: "", state: "up", since: time(0),
    recording: false, recordingPaused: false, muted: false, ...fields,
  };
}

export function snapshot(fields: Partial<Snapshot> = {}): Snapshot {
  const user = (agent: string, server = "pbx1", name?: string) => ({
    agent, server, device: `PJSIP/${agent}`, status: "online" as const, extensionStatus: "not_inuse" as const, ...(name && { name }),
  });
  return {
    agents: [], calls: [], conferences: [], parked: [], lines: [],
    users: [user("101", "pbx1", "Ann"), user("102"), user("103"), user("201", "pbx2", "Bo")],
    queues: [{
      queue: "sales", server: "pbx1", count: 0, callers: [],
      members: [{ agent: "102", queue: "sales", server: "pbx1", name: "Cy", penalty: 0, callsTaken: 2, status: "not_inuse" }],
    }],
    servers: [
      { server: "pbx1", state: "CONNECTED", since: time(-60) },
      { server: "pbx2", state: "CONNECTED", since: time(-60) },
    ],
    ...fields,
  };
}

export function world(fields: Partial<Snapshot> = {}): World {
  return fromSnapshot(snapshot(fields), emptyWorld(NOW), NOW);
}

let seq = 0;

/** Has something happen; answers what it touched. */
export function happen(all: World, event: Record<string, unknown>, target = 20): Touched {
  const touched = nothing();
  seq += 1;
  apply(all, { seq, server: "pbx1", time: time(seq), ...event } as unknown as Event, target, touched);
  return touched;
}

export function extension(all: World, agent: string, server = "pbx1"): Extension {
  const found = all.extensions.get(`${server}/${agent}`);
  if (!found) throw new Error(`there is no ${agent}`);
  return found;
}

export const everything: Who = { user: "boss", allow: ["*"] };
export const agent: Who = { user: "ann", extension: "101", allow: ["dial:own", "hangup:own", "transfer:own", "pickup:own", "message"] };
export const watcher: Who = { user: "wall", allow: [] };
