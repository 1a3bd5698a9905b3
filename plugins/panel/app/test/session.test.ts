import type { Who } from "@telepulse/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gateway } from "./gateway";
import { snapshot, time } from "./help";

const kept = vi.hoisted(() => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
  Object.assign(globalThis, {
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    sessionStorage: storage, localStorage: storage, document: { documentElement: { dataset: {} } },
    location: { protocol: "http:", hostname: "x", origin: "http://x" }, requestAnimationFrame: () => 1,
  });
  return kept;
});
const { login, logIn, logOut } = await import("../src/app/session");
const { opened, text } = await import("../src/app/choice");
const { say, toasts } = await import("../src/app/toasts");

const SETTINGS = { gatewayPort: 1, title: "", serviceLevelSeconds: 20, serviceLevelTarget: 80, groups: {} };
const last = () => Gateway.all.at(-1)!;
const at = (seq: number) => ({ seq, epoch: "e" });

async function connect() {
  await vi.advanceTimersByTimeAsync(0);
  last().onopen();
}

/** Logged in as this user. */
async function session(who: Who) {
  logIn(SETTINGS, "token");
  await connect();
  await last().answer("whoami", who);
  const state = login.value;
  if (state.state !== "in") throw new Error(state.state);
  await last().answer("subscribe", at(1));
  await last().answer("snapshot", { ...at(1), items: [snapshot()] });
  return state.session;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Gateway);
  vi.spyOn(console, "warn").mockImplementation(() => {});
  Gateway.all = [];
  kept.clear();
});

afterEach(() => {
  logOut();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a login", () => {
  it("outlives an answer that does not come", async () => {
    logIn(SETTINGS, "token");
    await connect();
    await last().refuse("whoami", "serverUnavailable");
    expect(login.value).toMatchObject({ state: "checking", note: "because" });
    await vi.advanceTimersByTimeAsync(500);
    last().onclose({ code: 1006, reason: "" });
    await vi.advanceTimersByTimeAsync(1000);
    expect(Gateway.all).toHaveLength(2);
    await connect();
    await last().answer("whoami", { user: "ann", allow: [] });
    expect(login.value.state).toBe("in");
    expect(kept.get("telepulse.token")).toBe("token");
  });

  it("ends where the token is refused", async () => {
    logIn(SETTINGS, "token");
    await connect();
    await last().refuse("whoami", "unauthorized");
    expect(login.value).toEqual({ state: "out", error: "because" });
  });

  it("has the rights of its last connection", async () => {
    const ann = await session({ user: "ann", extension: "101", allow: ["*"] });
    expect(ann.actor.value).toMatchObject({ phone: "101", server: "pbx1" });
    last().onclose({ code: 1006, reason: "" });
    expect(ann.lost.value).toBeDefined();
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    await last().answer("whoami", { user: "ann", extension: "102", allow: ["dial:own"] });
    expect(ann.actor.value).toMatchObject({ phone: "102", who: { allow: ["dial:own"] } });
    expect(ann.lost.value, "nothing is heard yet").toBeDefined();
    await last().refuse("subscribe", "internal");
    expect(ann.lost.value).toBeDefined();
    await vi.advanceTimersByTimeAsync(1000);
    await last().answer("subscribe", at(1));
    expect(ann.lost.value).toBeUndefined();
  });

  it("ends when it may hear nothing any more", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    await session({ user: "ann", allow: [] });
    last().onclose({ code: 1006, reason: "" });
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    await last().refuse("subscribe", "forbidden");
    expect(login.value).toMatchObject({ state: "out" });
  });

  it("leaves nothing to the next one", async () => {
    await session({ user: "ann", allow: [] });
    opened.value = "pbx1/101";
    text.value = "ann";
    say("unknown", "check");
    logOut();
    expect([opened.value, text.value, toasts.value.length, kept.get("telepulse.token")]).toEqual([undefined, "", 0, undefined]);
  });
});

describe("what events do not tell whole", () => {
  it("is asked for until it is told", async () => {
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw));
    const { store } = await session({ user: "ann", allow: [] });
    last().say({ event: "parked", server: "pbx1", seq: 2, time: time(0), call: "c", space: "701", lot: "l", timeout: 9 });
    await vi.advanceTimersByTimeAsync(200);
    await last().refuse("parked", "timeout");
    await vi.advanceTimersByTimeAsync(500);
    await last().answer("parked", { items: [{ space: "701" }] });
    expect(store.world.parked).toEqual([{ space: "701" }]);
  });
});
