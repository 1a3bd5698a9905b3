import { describe, expect, it } from "vitest";
import { find, ordered, within } from "../src/core/find";
import { span } from "../src/core/format";
import { part, step } from "../src/core/grid";
import { overview, staff } from "../src/core/level";
import { lasted } from "../src/core/tile";
import { happen, line, world } from "./help";

const everything = { text: "", group: undefined, bucket: undefined };
const agents = (keys: string[]) => keys.map((key) => key.split("/")[1]);

describe("finding", () => {
  it("goes by number, name, and with whom somebody talks", () => {
    const all = world();
    happen(all, { event: "activeLines", agent: "103", lines: [line({ name: "Zoë", number: "0911" })] });
    const found = (text: string) => agents(find(ordered(all), { ...everything, text }, {}).keys);
    expect(found("")).toEqual(["101", "102", "103", "201"]);
    expect(found("ANN")).toEqual(["101"]);
    expect(found("zoë 103")).toEqual(["103"]);
    expect(found("cy")).toEqual(["102"]);
    expect(found("nobody")).toEqual([]);
  });

  it("goes by group, queue and server", () => {
    const all = world();
    const groups = { Desk: ["101", "103-110"] };
    const found = (kind: "group" | "queue" | "server", name: string) =>
      agents(find(ordered(all), { ...everything, group: { kind, name } }, groups).keys);
    expect(found("group", "Desk")).toEqual(["101", "103"]);
    expect(found("group", "gone")).toEqual([]);
    expect(found("queue", "sales")).toEqual(["102"]);
    expect(found("server", "pbx2")).toEqual(["201"]);
  });

  it("counts all moods, and shows one", () => {
    const all = world();
    happen(all, { event: "activeLines", agent: "103", lines: [line()] });
    const { keys, counts, total } = find(ordered(all), { ...everything, bucket: "busy" }, {});
    expect([agents(keys), counts.busy, counts.free, total]).toEqual([["103"], 1, 3, 4]);
  });

  it("knows ranges of numbers", () => {
    expect([within("101-120", "110"), within("101-120", "121"), within("101-120", "1100"), within("101", "101"), within("101-120", "1x0")])
      .toEqual([true, false, false, true, false]);
  });
});

describe("the grid", () => {
  const room = { width: 1000, height: 500, scrolled: 0, tileWidth: 200, tileHeight: 100, count: 5000 };

  it("has what is seen, and a little more", () => {
    expect(part(room)).toEqual({ columns: 5, rows: 1000, first: 0, last: 35, above: 0, total: 100_000 });
    expect(part({ ...room, scrolled: 1050 })).toMatchObject({ first: 40, last: 90, above: 800 });
    expect(part({ ...room, scrolled: 1e9 }).last).toBe(5000);
    expect(part({ ...room, width: 0, count: 0 })).toMatchObject({ columns: 1, first: 0, last: 0 });
  });

  it("is walked by keys", () => {
    const to = (key: string) => step(key, 6, 5, 3, 20);
    expect(["ArrowRight", "ArrowDown", "ArrowUp", "PageDown", "End", "Home", "x"].map(to)).toEqual([7, 11, 1, 19, 19, 0, undefined]);
    expect(step("ArrowLeft", 0, 5, 3, 20)).toBe(0);
    expect(step("End", 0, 5, 3, 0)).toBeUndefined();
  });
});

describe("figures", () => {
  it("are of all queues and extensions", () => {
    const all = world();
    happen(all, { event: "activeLines", agent: "101", lines: [line()] });
    happen(all, { event: "activeLines", agent: "103", lines: [line({ state: "ringing" })] });
    happen(all, { event: "queueCaller", queue: "sales", change: "joined", call: "c9", number: "", name: "", position: 1 });
    const { longest, ...figures } = overview(all);
    expect(figures).toEqual({
      without: [],
      waiting: 1, calls: 1, free: 2, ringing: 1, resting: 0, served: { answered: 0, inTime: 0, abandoned: 0 },
    });
    expect(longest).toBeTypeOf("number");
    expect(staff(all.queues.get("pbx1/sales")!)).toEqual({ free: 1, busy: 0, paused: 0, away: 0 });
  });

  it("leave out what goes on at a server that is out of reach", () => {
    const all = world();
    happen(all, { event: "activeLines", agent: "101", lines: [line()] });
    happen(all, { event: "queueCaller", queue: "sales", change: "joined", call: "c9", number: "", name: "", position: 1 });
    happen(all, { event: "queueCaller", queue: "sales", change: "abandoned", call: "c8", number: "", name: "", position: 1 });
    happen(all, { event: "serverStatus", state: "DISCONNECTED" });
    expect(overview(all)).toEqual({
      without: ["pbx1"], waiting: 0, longest: undefined, calls: 0, free: 1, ringing: 0, resting: 0,
      served: { answered: 0, inTime: 0, abandoned: 1 },
    });
    expect([lasted(1000, 9000, undefined), lasted(1000, 9000, 4000), lasted(5000, 9000, 4000)], "durations stop").toEqual([8000, 3000, 0]);
  });

  it("are written as people read them", () => {
    expect([span(-5), span(7_900), span(754_000), span(3_723_000)]).toEqual(["0:00", "0:07", "12:34", "1:02:03"]);
  });
});
