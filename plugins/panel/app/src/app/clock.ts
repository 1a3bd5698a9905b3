/** One timer for all that counts seconds. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { span } from "../core/format";
import { lasted } from "../core/tile";
import { Offset } from "../core/offset";

/** This machine's time, which nobody sets while the page is open. */
const here = () => performance.timeOrigin + performance.now();

const offset = new Offset();

/** Now, to the second, by the host's clock, which is the one that all times in events are of. */
export const now = signal(here());

/** An event of this time has just come. */
export function heard(time: number): void {
  offset.heard(time, here());
}

/** The host's time. */
export function hostTime(): number {
  return here() - offset.ahead;
}

setInterval(() => {
  now.value = hostTime();
}, 1000);

/** A span that grows until it is `stale`; in a view its text changes, and nothing is drawn anew. */
export function since(time: number, stale?: number): ReadonlySignal<string> {
  return computed(() => span(lasted(time, stale ?? now.value, stale)));
}
