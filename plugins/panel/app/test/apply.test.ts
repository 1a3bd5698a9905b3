import { describe, expect, it } from "vitest";
import { apply, nothing, WANTED } from "../src/core/apply";
import { serviceLevel } from "../src/core/level";
import { dropPopup, emptyWorld, fromSnapshot, useOwn } from "../src/core/world";
import { extension, happen, line, NOW, snapshot, time, world } from "./help";

const anyWorld = world;

describe("events", () => {
  it("change what they are about, and say so", () => {
    const all = world();
    const touched = happen(all, { event: "activeLines", agent: "101", lines: [line()] });
    expect(extension(all, "101").lines).toHaveLength(1);
    expect([...touched.extensions]).toEqual(["pbx1/101"]);
    expect(touched.listed).toBe(false);
    happen(all, { event: "presence", agent: "101", state: "dnd", message: "Lunch" });
    expect(extension(all, "101").presence).toEqual({ state: "dnd", message: "Lunch" });
    happen(all, { event: "userStatus", agent: "101", status: "offline", device: "PJSIP/101" });
    expect(extension(all, "101").status).toBe("offline");
  });

  it("bring extensions that nobody knew", () => {
    const all = world();
    expect(happen(all, { event: "extensionStatus", agent: "150", status: "ringing" }).listed).toBe(true);
    expect(extension(all, "150").device).toBe("ringing");
    const member = { event: "queueMemberStatus", queue: "sales", agent: "160", status: "not_inuse", penalty: 0, callsTaken: 0 };
    expect(happen(all, member).listed).toBe(true);
    expect(happen(all, member).listed).toBe(false);
  });

  it("of other kinds are let pass", () => {
    const all = world();
    const touched = happen(all, { event: "paint", agent: "101", colour: 7 });
    expect(touched.extensions.size + touched.queues.size).toBe(0);
  });

  it("keep the same extension on two servers apart", () => {
    const all = world();
    happen(all, { event: "activeLines", server: "pbx2", agent: "101", lines: [line()] });
    expect(extension(all, "101").lines).toHaveLength(0);
    expect(extension(all, "101", "pbx2").lines).toHaveLength(1);
  });
});

describe("a lost server", () => {
  const status = (state: string) => ({ event: "serverStatus", state });

  it("is lost since the first moment, however often it tries again", () => {
    const all = world();
    happen(all, { ...status("DISCONNECTED"), time: time(10) });
    happen(all, { ...status("CONNECTING"), time: time(20) });
    happen(all, { ...status("SYNCING"), time: time(30) });
    expect(all.servers.get("pbx1")).toMatchObject({ state: "SYNCING", lost: NOW + 10_000 });
    expect(all.servers.get("pbx2")?.lost).toBeUndefined();
    happen(all, { ...status("CONNECTED"), time: time(40) });
    expect(all.servers.get("pbx1")?.lost).toBeUndefined();
  });

  it("is remembered as lost when a snapshot comes meanwhile", () => {
    const all = world();
    happen(all, { ...status("DISCONNECTED"), time: time(10) });
    const servers = [{ server: "pbx1", state: "CONNECTING" as const, since: time(30) }];
    expect(fromSnapshot(snapshot({ servers }), all, NOW).servers.get("pbx1")?.lost).toBe(NOW + 10_000);
    expect(fromSnapshot(snapshot({ servers }), emptyWorld(NOW), NOW).servers.get("pbx1")?.lost).toBe(NOW + 30_000);
  });

  it("takes what it told with it when it is removed", () => {
    const all = world();
    happen(all, status("REMOVED"));
    expect([...all.extensions.keys()]).toEqual(["pbx2/201"]);
    expect(all.queues.size).toBe(0);
  });
});

describe("a queue", () => {
  const caller = (change: string, call: string, more: object = {}) =>
    ({ event: "queueCaller", queue: "sales", change, call, number: call, name: "", position: 1, ...more });
  const served = (holdTime: number) =>
    ({ event: "agentComplete", queue: "sales", agent: "102", holdTime, talkTime: 9, reason: "agent", uniqueId: "u" });
  const waiting = (all: ReturnType<typeof world>) => all.queues.get("pbx1/sales")?.callers.map(({ call, position }) => `${position}:${call}`);

  it("keeps its callers in order", () => {
    const all = world();
    happen(all, caller("joined", "a"));
    happen(all, caller("joined", "b", { position: 2 }));
    happen(all, caller("joined", "vip", { position: 1 }));
    expect(waiting(all)).toEqual(["1:vip", "2:a", "3:b"]);
    happen(all, caller("left", "a", { wait: 5 }));
    expect(waiting(all)).toEqual(["1:vip", "2:b"]);
  });

  it("counts who was served in time, and who gave up", () => {
    const all = world();
    expect(serviceLevel(all.queues.get("pbx1/sales")!.served)).toBeUndefined();
    happen(all, served(20));
    happen(all, served(21));
    happen(all, caller("abandoned", "c", { wait: 3 }));
    expect([...happen(all, served(1)).queues]).toEqual(["pbx1/sales"]);
    expect(all.queues.get("pbx1/sales")?.served).toEqual({ answered: 3, inTime: 2, abandoned: 1 });
    expect(serviceLevel(all.queues.get("pbx1/sales")!.served)).toBe(50);
  });

  it("does not count as answered who only left: for waiting too long, or lost sight of", () => {
    const all = world();
    happen(all, caller("joined", "a"));
    happen(all, caller("left", "a", { wait: 15 }));
    expect(all.queues.get("pbx1/sales")).toMatchObject({ callers: [], served: { answered: 0, inTime: 0, abandoned: 0 } });
    expect(WANTED).toContain("agentComplete");
  });

  it("goes on counting over a snapshot", () => {
    const all = world();
    happen(all, served(2));
    expect(fromSnapshot(snapshot(), all, NOW).queues.get("pbx1/sales")?.served.answered).toBe(1);
  });

  it("has its members, who serve it", () => {
    const all = world();
    const member = (status: string) => ({ event: "queueMemberStatus", queue: "sales", agent: "103", status, penalty: 1, callsTaken: 0 });
    happen(all, { ...member("paused"), reason: "Lunch" });
    expect(extension(all, "103").queues.get("sales")).toMatchObject({ status: "paused", reason: "Lunch" });
    const touched = happen(all, member("loggedoff"));
    expect(extension(all, "103").queues.size).toBe(0);
    expect([...touched.queues]).toEqual(["pbx1/sales"]);
  });
});

describe("a pop-up", () => {
  const popup = (state: string, reason?: string) => ({ event: "popup", agent: "101", call: "c1", number: "0911", state, reason });

  const world = () => {
    const all = anyWorld();
    useOwn(all, { agent: "101", server: "pbx1" });
    return all;
  };
  const info = (call: string) => ({ event: "callerInfo", call, number: "0911", info: { name: "Maja" }, source: "crm", cached: false });
  const shown = (all: ReturnType<typeof world>) => [...all.popups.values()].map(({ call, state }) => `${call} ${state}`);

  it("goes when somebody else answers, and what is known of the caller with it", () => {
    const all = world();
    happen(all, popup("ringing"));
    happen(all, info("c1"));
    happen(all, popup("down", "answeredElsewhere"));
    expect([all.popups.size, all.known.size]).toEqual([0, 0]);
  });

  it("makes room for the next one, once it is closed", () => {
    const all = world();
    happen(all, popup("ringing"));
    happen(all, info("c1"));
    happen(all, { ...popup("ringing"), call: "c2" });
    expect(shown(all)).toEqual(["c1 ringing", "c2 ringing"]);
    happen(all, popup("closed", "onHook"));
    happen(all, { ...popup("ringing"), call: "c3" });
    expect(shown(all)).toEqual(["c2 ringing", "c3 ringing"]);
    expect(all.known.size).toBe(0);
  });

  it("does not come back when it was closed here", () => {
    const all = world();
    happen(all, popup("up"));
    dropPopup(all, "101/c1");
    happen(all, popup("closed", "onHook"));
    expect(all.popups.size).toBe(0);
  });

  it("is only kept for one's own phone", () => {
    const all = world();
    happen(all, { ...popup("ringing"), agent: "102" });
    happen(all, { ...popup("ringing"), server: "pbx2" });
    expect(all.popups.size).toBe(0);
    happen(all, popup("ringing"));
    useOwn(all, { agent: "102", server: "pbx1" });
    expect(all.popups.size).toBe(0);
  });

  it("goes on under the name of the call that its call was merged into, as callers in queues do", () => {
    const all = world();
    happen(all, popup("up"));
    happen(all, info("c1"));
    happen(all, { event: "queueCaller", queue: "sales", change: "joined", call: "c1", number: "0911", name: "", position: 1 });
    happen(all, { event: "callEnded", call: "c1", mergedInto: "c0" });
    expect([shown(all), [...all.popups.keys()], [...all.known.keys()]]).toEqual([["c0 up"], ["101/c0"], ["c0"]]);
    expect(all.queues.get("pbx1/sales")?.callers.map(({ call }) => call)).toEqual(["c0"]);
    happen(all, { event: "queueCaller", queue: "sales", change: "left", call: "c0", number: "0911", name: "", position: 1 });
    expect(all.queues.get("pbx1/sales")?.callers).toEqual([]);
  });

  it("does not stay open when its end was missed", () => {
    const all = world();
    happen(all, popup("ringing"));
    expect(shown(fromSnapshot(snapshot(), all, NOW))).toEqual(["c1 closed"]);
  });

  it("of nobody leaves nothing known behind its call", () => {
    const all = world();
    happen(all, info("c1"));
    expect(all.known.size).toBe(1);
    happen(all, { event: "callEnded", call: "c1" });
    expect(all.known.size).toBe(0);
  });

  it("stays until it is closed by hand", () => {
    const all = world();
    happen(all, popup("ringing"));
    happen(all, { event: "callerInfo", call: "c1", number: "0911", info: { name: "Maja" }, source: "crm", cached: false });
    happen(all, popup("closed", "onHook"));
    expect(all.popups.get("101/c1")?.state).toBe("closed");
    expect(all.known.get("c1")?.info).toEqual({ name: "Maja" });
    happen(all, popup("closed", "byHand"));
    expect(all.popups.size).toBe(0);
  });
});

describe("what a hidden page has not told yet", () => {
  it("does not grow for ever", () => {
    const [all, touched] = [world(), nothing()];
    for (let seq = 1; seq <= 500; seq += 1) {
      apply(all, { event: "message", server: "pbx1", seq, time: time(seq), agent: "101", text: String(seq) }, 20, touched);
      apply(all, { event: "originateFailed", server: "pbx1", seq, time: time(seq), actionId: String(seq), reason: "busy" }, 20, touched);
    }
    expect([touched.messages.length, touched.failed.length]).toEqual([100, 100]);
    expect(touched.messages.at(-1)?.text).toBe("500");
  });
});

describe("what events do not tell whole", () => {
  it("is asked for", () => {
    const all = world();
    expect(happen(all, { event: "parked", call: "c1", space: "701", lot: "default", timeout: 60 }).parked).toBe(true);
    expect(happen(all, { event: "conference", conference: "700", change: "joined" }).conferences).toBe(true);
    expect(happen(all, { event: "originateFailed", actionId: "a1", reason: "busy" }).failed).toEqual([{ actionId: "a1", reason: "busy" }]);
  });
});
