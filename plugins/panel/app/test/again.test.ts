import { Refused } from "@telepulse/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { untilDone } from "../src/app/again";

const refused = (code: string) => new Refused({ code: code as "internal", message: "because" });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("what has to succeed", () => {
  it("is tried again, later each time", async () => {
    const work = vi.fn().mockRejectedValueOnce(refused("timeout")).mockRejectedValueOnce(refused("serverUnavailable")).mockResolvedValue(7);
    const done = untilDone<number>(work, () => true);
    await vi.advanceTimersByTimeAsync(500);
    expect(work).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(999);
    expect(work).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await done).toBe(7);
  });

  it("is not, where it would be refused again, or is wanted no more", async () => {
    const denied = vi.fn().mockRejectedValue(refused("unauthorized"));
    await expect(untilDone(denied, () => true)).rejects.toThrow("because");
    const failing = vi.fn().mockRejectedValue(refused("timeout"));
    let wanted = true;
    const done = expect(untilDone(failing, () => wanted)).rejects.toThrow("not wanted");
    wanted = true;
    await vi.advanceTimersByTimeAsync(100);
    wanted = false;
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect([denied.mock.calls.length, failing.mock.calls.length]).toEqual([1, 1]);
  });
});
