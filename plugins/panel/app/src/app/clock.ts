/** One timer for all that counts seconds. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { span } from "../core/format";

/** By how much this machine's clock is ahead of the host's: what the quickest event took, at most. */
let ahead = Number.POSITIVE_INFINITY;

/** Now, to the second, by the host's clock, which is the one that all times in events are of. */
export const now = signal(Date.now());

/** An event of this time has just come. */
export function heard(time: number): void {
  ahead = Math.min(ahead, Date.now() - time);
}

/** The host's time. */
export function hostTime(): number {
  return Date.now() - (Number.isFinite(ahead) ? ahead : 0);
}

setInterval(() => {
  now.value = hostTime();
}, 1000);

/** A span that grows; in a view its text changes, and nothing is drawn anew. */
export function since(time: number): ReadonlySignal<string> {
  return computed(() => span(now.value - time));
}
