import { describe, expect, it } from "vitest";
import { bucket, foremost, mood, staleSince, tileOf } from "../src/core/tile";
import { extension, happen, line, NOW, world } from "./help";

function moodAfter(...events: Record<string, unknown>[]) {
  const all = world();
  events.forEach((event) => happen(all, { agent: "102", ...event }));
  return mood(extension(all, "102"));
}

const lines = (...states: string[]) => ({
  event: "activeLines", lines: states.map((state, at) => line({ state: state as "up", channel: `PJSIP/102-${at}` })),
});

describe("a mood", () => {
  it.each([
    ["free", []],
    ["talking", [lines("up")]],
    ["ringing", [lines("up", "ringing")]],
    ["hold", [lines("hold")]],
    ["parked", [lines("parked")]],
    ["conference", [lines("conference")]],
    ["offline", [{ event: "userStatus", status: "offline", device: "d" }]],
    ["busy", [{ event: "extensionStatus", status: "inuse" }]],
    ["ringing", [{ event: "extensionStatus", status: "ringing" }]],
    ["dnd", [{ event: "presence", state: "dnd" }]],
    ["away", [{ event: "presence", state: "xa" }]],
    ["talking", [{ event: "presence", state: "dnd" }, lines("up")]],
    ["paused", [{ event: "queueMemberStatus", queue: "sales", status: "paused", penalty: 0, callsTaken: 0 }]],
  ])("is %s", (expected, events) => {
    expect(moodAfter(...(events as Record<string, unknown>[]))).toBe(expected);
  });

  it("is not paused while one of its queues is served", () => {
    const member = (queue: string, status: string) => ({ event: "queueMemberStatus", queue, status, penalty: 0, callsTaken: 0 });
    expect(moodAfter(member("sales", "paused"), member("support", "not_inuse"))).toBe("free");
  });

  it("has a place among the filters", () => {
    expect([bucket("talking"), bucket("dnd"), bucket("unknown"), bucket("free"), bucket("ringing")])
      .toEqual(["busy", "resting", "offline", "free", "ringing"]);
  });
});

describe("a tile", () => {
  it("shows the line that matters most", () => {
    expect(foremost([line({ state: "hold" }), line({ state: "up", number: "7" })])?.number).toBe("7");
    expect(foremost([])).toBeUndefined();
  });

  it("says what is done with its lines", () => {
    const all = world();
    const recorded = line({ recording: true, recordingPaused: true, spiedBy: ["PJSIP/103-1"], muted: true });
    happen(all, { event: "activeLines", agent: "101", lines: [recorded, line({ channel: "x" })] });
    expect(tileOf(all, extension(all, "101"), undefined)).toMatchObject({
      title: "Ann", named: true, recording: "paused", spied: true, muted: true, more: 1, stale: undefined,
    });
  });

  it("is called as its phone is, else as a queue calls it, else by its number", () => {
    const all = world();
    const title = (agent: string) => tileOf(all, extension(all, agent), undefined).title;
    expect([title("101"), title("102"), title("103")]).toEqual(["Ann", "Cy", "103"]);
  });
});

describe("what is old", () => {
  it("is so since the server, or the gateway, was lost: whichever was first", () => {
    const all = world();
    happen(all, { event: "serverStatus", state: "DISCONNECTED", time: new Date(NOW).toISOString() });
    const [lost, there] = [all.servers.get("pbx1"), all.servers.get("pbx2")];
    expect(staleSince(there, undefined)).toBeUndefined();
    expect(staleSince(there, NOW + 5)).toBe(NOW + 5);
    expect(staleSince(lost, undefined)).toBe(NOW);
    expect(staleSince(lost, NOW - 5)).toBe(NOW - 5);
    expect(staleSince(undefined, undefined)).toBeUndefined();
  });

  it("greys the tiles of that server alone", () => {
    const all = world();
    happen(all, { event: "serverStatus", state: "DISCONNECTED" });
    expect(tileOf(all, extension(all, "101"), undefined).stale).toBeDefined();
    expect(tileOf(all, extension(all, "201", "pbx2"), undefined).stale).toBeUndefined();
  });
});
