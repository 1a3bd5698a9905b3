import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { say, toasts } from "../src/app/toasts";

const texts = () => toasts.value.map(({ text }) => text);

beforeEach(() => {
  vi.useFakeTimers();
  toasts.value = [];
});
afterEach(() => void vi.useRealTimers());

it("an unknown outcome stays, whatever else is told", () => {
  say("unknown", "check me");
  for (let at = 1; at <= 9; at += 1) say("message", String(at));
  expect(texts()).toEqual(["check me", "6", "7", "8", "9"]);
  vi.advanceTimersByTime(60_000);
  expect(texts()).toEqual(["check me"]);
});

it("many unknown outcomes all stay, and what comes after them is told", () => {
  for (let at = 1; at <= 7; at += 1) say("unknown", String(at));
  const id = say("sent", "dial");
  expect(texts()).toEqual(["1", "2", "3", "4", "5", "6", "7", "dial"]);
  say("unknown", "dial unknown", id);
  expect(texts().at(-1)).toBe("dial unknown");
});
