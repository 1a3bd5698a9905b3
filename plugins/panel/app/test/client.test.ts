import { TelePulse, type Snapshot } from "@telepulse/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gateway } from "./gateway";
import { snapshot } from "./help";

const event = (seq: number) => ({ event: "paint", server: "pbx1", seq, time: "2026-11-22T10:00:00Z" });
const at = (seq: number) => ({ seq, epoch: "e" });

/** A client with one subscription that is connected; `told` is what it was told. */
async function connected() {
  const told: string[] = [];
  const socket = Gateway as unknown as typeof WebSocket;
  const pulse = new TelePulse({ url: "ws://x/", token: "t", WebSocket: socket, backoff: { first: 100, most: 400 }, timeout: 1000 });
  pulse.subscribe({}, {
    snapshot: (_: Snapshot, seq) => told.push(`snapshot ${seq}`),
    event: ({ seq }) => told.push(`event ${seq}`),
    resumed: () => told.push("resumed"),
  });
  await vi.advanceTimersByTimeAsync(0);
  const gateway = Gateway.all.at(-1)!;
  gateway.onopen();
  return { pulse, told, gateway };
}

beforeEach(() => {
  vi.useFakeTimers();
  Gateway.all = [];
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a subscription", () => {
  it.each(["serverUnavailable", "tooManyRequests", "internal", "timeout"])("that fails with %s is tried again", async (code) => {
    const { gateway, told } = await connected();
    await gateway.refuse("subscribe", code);
    await vi.advanceTimersByTimeAsync(100);
    expect(gateway.of("subscribe")).toHaveLength(2);
    await gateway.refuse("subscribe", code);
    await vi.advanceTimersByTimeAsync(100);
    expect(gateway.of("subscribe"), "later each time").toHaveLength(2);
    await vi.advanceTimersByTimeAsync(100);
    await gateway.answer("subscribe", at(5));
    await gateway.answer("snapshot", { ...at(5), items: [snapshot()] });
    gateway.say(event(6));
    expect(told).toEqual(["snapshot 5", "event 6"]);
  });

  it("that nobody answers is tried again", async () => {
    const { gateway } = await connected();
    await vi.advanceTimersByTimeAsync(1100);
    expect(gateway.of("subscribe")).toHaveLength(2);
  });

  it("that will always be refused is not", async () => {
    const { gateway } = await connected();
    await gateway.refuse("subscribe", "badRequest");
    await vi.advanceTimersByTimeAsync(5000);
    expect(gateway.of("subscribe")).toHaveLength(1);
    expect(console.error).toHaveBeenCalledOnce();
  });

  it("whose snapshot fails is told another, and nothing twice", async () => {
    const { gateway, told } = await connected();
    await gateway.answer("subscribe", at(5));
    await gateway.answer("snapshot", { ...at(5), items: [snapshot()] });
    // Too much was missed.
    gateway.say({ ...event(9), event: "snapshot", subscription: "feed" });
    gateway.say(event(10));
    await gateway.refuse("snapshot", "internal");
    gateway.say(event(11));
    await vi.advanceTimersByTimeAsync(100);
    gateway.say(event(12));
    expect(gateway.of("snapshot")).toHaveLength(3);
    await gateway.answer("snapshot", { ...at(11), items: [snapshot()] });
    gateway.say(event(13));
    expect(told).toEqual(["snapshot 5", "snapshot 11", "event 12", "event 13"]);
  });

  it("goes on after a lost connection, though the first attempt fails", async () => {
    const { gateway, told, pulse } = await connected();
    await gateway.answer("subscribe", at(5));
    await gateway.answer("snapshot", { ...at(5), items: [snapshot()] });
    gateway.onclose({ code: 1006, reason: "" });
    await vi.advanceTimersByTimeAsync(100);
    const next = Gateway.all.at(-1)!;
    next.onopen();
    await next.refuse("subscribe", "serverUnavailable");
    expect(told).toEqual(["snapshot 5"]);
    await vi.advanceTimersByTimeAsync(100);
    expect(next.of("subscribe").at(-1)?.["since"]).toEqual(at(5));
    await next.answer("subscribe", at(7));
    next.say(event(6));
    expect(told).toEqual(["snapshot 5", "resumed", "event 6"]);
    pulse.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Gateway.all).toHaveLength(2);
  });

  it("that comes while another is on its way begins, too", async () => {
    const { gateway, pulse } = await connected();
    const seen: number[] = [];
    pulse.subscribe({}, { snapshot: (_, seq) => seen.push(seq) });
    await gateway.answer("subscribe", at(5));
    for (const { id } of gateway.of("snapshot")) gateway.say({ id, ok: true, result: { ...at(5), items: [snapshot()] } });
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual([5]);
  });
});
