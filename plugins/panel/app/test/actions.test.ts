import { Refused, type Who } from "@telepulse/client";
import { describe, expect, it } from "vitest";
import { drops as dropsOf, fetch, home, homes, ofExtension, ofLine, ofMember, transfer, transfers, type Actor } from "../src/core/actions";
import { done, failed } from "../src/core/outcome";
import { may, mayActAs, reach } from "../src/core/rights";
import { ordered } from "../src/core/find";
import { foremost } from "../src/core/tile";
import type { Extension, World } from "../src/core/world";
import { agent, everything, extension, happen, line, time, watcher, world } from "./help";

const as = (who: Who, phone: string | undefined = who.extension, server: string | undefined = "pbx1"): Actor => ({ who, phone, server });
const boss = as(everything, "103");
/** What is dropped just now: with the line that its tile shows. */
const drops = (actor: Actor, all: World, from: Extension, onto: Extension, channel = foremost(from.lines)?.channel) =>
  dropsOf(actor, all, from, onto, channel);
const ids = (ready: { id: string }[]) => ready.map(({ id }) => id);

/** 101 and 102 talk with each other. */
function talking() {
  const all = world();
  for (const agent of ["101", "102"]) happen(all, { event: "activeLines", agent, lines: [line({ channel: `PJSIP/${agent}-1` })] });
  return all;
}

describe("rights", () => {
  it("reach as far as they say", () => {
    expect([reach(everything, "spy"), reach(agent, "dial"), reach(agent, "message"), reach(agent, "spy")])
      .toEqual(["any", "own", "any", "no"]);
    expect(reach({ user: "u", allow: ["*:own"] }, "park")).toBe("own");
    expect(may(agent, "hangup", ["101", "102"])).toBe(true);
    expect(may(agent, "hangup", ["102"])).toBe(false);
    expect(may({ user: "nobody", allow: ["dial:own"] }, "dial", [""])).toBe(false);
    expect([mayActAs(everything), mayActAs(agent)]).toEqual([true, false]);
  });

  it("that are not there leave nothing to do", () => {
    const all = talking();
    const [one, of] = [extension(all, "101"), as(watcher)];
    expect(ofExtension(of, one)).toEqual([]);
    expect(ofLine(of, all, one, one.lines[0]!)).toEqual([]);
    expect(transfers(of, all, one, one.lines[0]!)).toEqual([]);
    expect(ofMember(of, "pbx1", extension(all, "102").queues.get("sales")!)).toEqual([]);
    expect(drops(of, all, one, extension(all, "103"))).toEqual([]);
  });

  it("to one's own reach the calls that one is in", () => {
    const all = talking();
    const other = extension(all, "102");
    expect(ids(ofLine(as(agent), all, other, other.lines[0]!))).toEqual(["hangup"]);
    happen(all, { event: "activeLines", agent: "101", lines: [] });
    expect(ofLine(as(agent), all, other, other.lines[0]!)).toEqual([]);
  });
});

describe("what can be done", () => {
  it("with an extension that talks", () => {
    const all = talking();
    const ready = ofExtension(boss, extension(all, "101"));
    expect(ids(ready)).toEqual(["dial", "spy", "whisper", "barge"]);
    expect(ready[0]?.command).toEqual({ action: "dial", from: "103", to: "101", server: "pbx1" });
    expect(ready[1]?.command).toEqual({ action: "spy", agent: "103", target: "PJSIP/101-1", server: "pbx1" });
  });

  it("with one that rings", () => {
    const all = world();
    happen(all, { event: "activeLines", agent: "102", lines: [line({ state: "ringing" })] });
    const ready = ofExtension(boss, extension(all, "102"));
    expect(ids(ready)).toEqual(["dial", "pickup"]);
    expect(ready[1]?.command).toEqual({ action: "pickup", agent: "103", target: "102", server: "pbx1" });
  });

  it("with one on another server: it can be called from where the phone is", () => {
    const all = talking();
    happen(all, { event: "activeLines", server: "pbx2", agent: "201", lines: [line()] });
    expect(ofExtension(boss, extension(all, "201", "pbx2")).map(({ command }) => command)).toEqual([
      { action: "dial", from: "103", to: "201", server: "pbx1" },
    ]);
    expect(ofExtension({ who: everything, phone: "999", server: undefined }, extension(all, "101"))).toEqual([]);
  });

  it("with the phone of the chosen server, where several have the number", () => {
    const all = talking();
    happen(all, { event: "activeLines", server: "pbx2", agent: "103", lines: [] });
    expect(homes(ordered(all), "103")).toEqual(["pbx1", "pbx2"]);
    expect([home(["pbx1", "pbx2"], undefined), home(["pbx1", "pbx2"], "pbx2"), home(["pbx1"], "pbx2"), home([], "pbx1")])
      .toEqual([undefined, "pbx2", "pbx1", undefined]);
    const ready = ofExtension(as(everything, "103", "pbx2"), extension(all, "101"));
    expect(ready.map(({ command }) => command), "not with its namesake, beside the target").toEqual([
      { action: "dial", from: "103", to: "101", server: "pbx2" },
    ]);
  });

  it("with one's own, or without a phone: nothing", () => {
    const all = talking();
    expect(ofExtension(as(everything, "101"), extension(all, "101"))).toEqual([]);
    expect(ofExtension(as(everything), extension(all, "101"))).toEqual([]);
  });

  it("with a line, as it is recorded and muted", () => {
    const all = talking();
    const one = extension(all, "101");
    const about = (fields: object) => ids(ofLine(boss, all, one, { ...one.lines[0]!, ...fields }));
    expect(about({})).toEqual(["hangup", "park", "recordStart", "mute"]);
    expect(about({ recording: true, muted: true })).toEqual(["hangup", "park", "recordPause", "recordStop", "unmute"]);
    expect(about({ recording: true, recordingPaused: true })).toContain("recordResume");
    expect(about({ state: "ringing" })).toEqual(["hangup"]);
  });

  it("names a line by its extension, unless that has two", () => {
    const all = talking();
    const one = extension(all, "101");
    expect(ofLine(boss, all, one, one.lines[0]!)[0]?.command).toEqual({ action: "hangup", agent: "101", server: "pbx1" });
    one.lines.push(line({ channel: "PJSIP/101-2" }));
    expect(ofLine(boss, all, one, one.lines[1]!)[0]?.command).toEqual({ action: "hangup", channel: "PJSIP/101-2", server: "pbx1" });
    expect(transfers(boss, all, one, one.lines[0]!)).toEqual(["blind", "voicemail"]);
    // An attended transfer would be of whichever call the agent is in.
    expect(transfer(boss, all, one, one.lines[0]!, "103", "attended")).toBeUndefined();
  });

  it("with a member, and with a parked call", () => {
    const all = world();
    const member = extension(all, "102").queues.get("sales")!;
    expect(ids(ofMember(boss, "pbx1", member))).toEqual(["queuePause", "queueRemove"]);
    expect(ids(ofMember(boss, "pbx1", { ...member, status: "paused" }))).toEqual(["queueUnpause", "queueRemove"]);
    const parked = { call: "c", channel: "x", lot: "default", name: "", number: "7", server: "pbx1", since: time(0), space: "701", timeout: 60 };
    expect(fetch(boss, parked)?.command).toEqual({ action: "dial", from: "103", to: "701", server: "pbx1" });
    expect(fetch(as(everything), parked)).toBeUndefined();
    expect(fetch(as(everything, "103", "pbx2"), parked), "that space is another's there").toBeUndefined();
  });
});

describe("what is dropped on another", () => {
  it("is called, handed over or picked up", () => {
    const all = talking();
    const of = (agent: string) => extension(all, agent);
    expect(drops(boss, all, of("103"), of("101"))).toEqual([
      { kind: "dial", command: { action: "dial", from: "103", to: "101", server: "pbx1" } },
    ]);
    expect(drops(boss, all, of("101"), of("103")).map((drop) => drop.command)).toEqual(
      ["blind", "attended", "voicemail"].map((kind) => ({
        action: "transfer", ...(kind === "attended" ? { agent: "101" } : { channel: "PJSIP/102-1" }), to: "103", kind, server: "pbx1",
      })),
    );
    happen(all, { event: "activeLines", agent: "102", lines: [line({ state: "ringing" })] });
    expect(drops(boss, all, of("102"), of("103"))).toMatchObject([{ kind: "pickup", command: { agent: "103", target: "102" } }]);
  });

  it("is the call that was dragged, or nothing", () => {
    const all = talking();
    const of = (agent: string) => extension(all, agent);
    const dragged = of("101").lines[0]!.channel;
    happen(all, { event: "activeLines", agent: "101", lines: [line({ channel: "PJSIP/101-9", call: "c9" })] });
    expect(drops(boss, all, of("101"), of("103"), dragged)).toEqual([]);
    happen(all, { event: "activeLines", agent: "101", lines: [] });
    expect(drops(boss, all, of("101"), of("103"), dragged), "not dialled, either").toEqual([]);
    happen(all, { event: "activeLines", agent: "101", lines: [line()] });
    expect(dropsOf(boss, all, of("101"), of("103"), undefined), "it was free when it was dragged").toEqual([]);
  });

  it("is handed over as the other side, never as one's own", () => {
    const all = world();
    const of = (agent: string) => extension(all, agent);
    const [first, second] = [line({ channel: "PJSIP/101-1", call: "a" }), line({ channel: "PJSIP/101-2", call: "b", direction: "out" })];
    const commands = () => drops(boss, all, of("101"), of("103")).map(({ command }) => command);
    happen(all, { event: "activeLines", agent: "101", lines: [first] });
    expect(commands()[0]).toMatchObject({ agent: "101", kind: "blind" });
    happen(all, { event: "activeLines", agent: "101", lines: [first, second] });
    expect(commands()).toEqual(["blind", "voicemail"].map((kind) => ({ action: "transfer", call: "a", to: "103", kind, server: "pbx1" })));
    // Whom an extension with two calls has dialled outside is not known here.
    expect(transfers(boss, all, of("101"), second)).toEqual([]);
  });

  it("means nothing on itself, or on another server", () => {
    const all = talking();
    const one = extension(all, "101");
    expect(drops(boss, all, one, one)).toEqual([]);
    expect(drops(boss, all, one, extension(all, "201", "pbx2"))).toEqual([]);
  });
});

describe("an outcome", () => {
  const refused = (code: string) => failed(new Refused({ code: code as "conflict", message: "because" }));

  it("that is not known is neither success nor failure", () => {
    expect(refused("unknownOutcome").kind).toBe("unknown");
    expect(refused("timeout").kind).toBe("unknown");
    expect(failed(new Error("boom")).kind).toBe("unknown");
  });

  it("that is known is told", () => {
    expect(refused("conflict")).toEqual({ kind: "refused", code: "conflict", message: "because" });
    expect(done({ actionId: "a1" })).toEqual({ kind: "done", actionId: "a1" });
    expect(done({})).toEqual({ kind: "done", actionId: undefined });
  });
});
