import { describe, expect, it } from "vitest";
import { Offset } from "../src/core/offset";

describe("the host's clock", () => {
  it("is as far as the quickest event says", () => {
    const offset = new Offset();
    expect(offset.ahead).toBe(0);
    [[1000, 1500], [2000, 2200], [3000, 3900]].forEach(([time, here]) => offset.heard(time!, here!));
    expect(offset.ahead).toBe(200);
    offset.heard(Number.NaN, 4000);
    expect(offset.ahead).toBe(200);
  });

  it("is followed when this one gets ahead", () => {
    const offset = new Offset();
    for (let at = 0; at <= 60_000; at += 1000) offset.heard(at, at + 50);
    for (let at = 61_000; at <= 130_000; at += 1000) offset.heard(at, at + 10_050);
    expect(offset.ahead).toBe(10_050);
  });

  it("is not moved by one late event after a quiet time", () => {
    const offset = new Offset();
    offset.heard(1000, 1050);
    offset.heard(300_000, 600_000);
    expect(offset.ahead).toBe(50);
  });
});
