/** What has to succeed in the end. */

import { Refused } from "@telepulse/client";

/** How long to wait before it is tried again: at first, and at most, in milliseconds. */
const PAUSE = { first: 500, most: 10_000 };
/** What is refused so is refused the next time, too. */
const FOR_GOOD = new Set(["badRequest", "unauthorized", "forbidden", "notFound", "refusedByPolicy"]);

export const forGood = (error: unknown): boolean => error instanceof Refused && FOR_GOOD.has(error.code);

/** Does it until it succeeds, is refused for good, or is wanted no more. */
export async function untilDone<T>(work: () => Promise<T>, wanted: () => boolean): Promise<T> {
  for (let pause = PAUSE.first; ; pause = Math.min(PAUSE.most, pause * 2)) {
    try {
      return await work();
    } catch (error) {
      if (forGood(error) || !wanted()) throw error;
    }
    await new Promise((done) => setTimeout(done, pause));
    if (!wanted()) throw new Error("not wanted any more");
  }
}
