/** By how much a clock is ahead of the one that times in events are of. */

/** Half of how long a quick event counts, in milliseconds. */
const HALF = 30_000;

/**
 * No event comes before it happened: what the quickest of the last minute took is the offset, at most. Older ones do
 * not count, or a clock that runs slower, or slept, would be wrong for ever.
 */
export class Offset {
  #begun = Number.NEGATIVE_INFINITY;
  #before = Number.POSITIVE_INFINITY;
  #least = Number.POSITIVE_INFINITY;

  /** An event of that time came when this clock showed `here`. */
  heard(time: number, here: number): void {
    if (!Number.isFinite(time)) return;
    if (here - this.#begun >= HALF) {
      this.#before = this.#least;
      this.#least = Number.POSITIVE_INFINITY;
      this.#begun = here;
    }
    this.#least = Math.min(this.#least, here - time);
  }

  get ahead(): number {
    const least = Math.min(this.#before, this.#least);
    return Number.isFinite(least) ? least : 0;
  }
}
