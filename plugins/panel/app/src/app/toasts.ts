/** What became of what the user did. */

import { signal } from "@preact/signals";
import type { Outcome } from "../core/outcome";
import { t, type Key } from "../i18n";

export type Tone = "sent" | "done" | "refused" | "unknown" | "message";

export interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

/** Good news goes by itself; what has to be checked stays until it is dismissed. */
const STAYS: Record<Tone, number | undefined> = {
  sent: 20_000, done: 4_000, refused: 12_000, unknown: undefined, message: 15_000,
};

const MOST = 5;

export const toasts = signal<Toast[]>([]);
let counter = 0;

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** The last ones; what has to be checked is not among those that make room. */
function fitting(all: Toast[]): Toast[] {
  let tooMany = all.length - MOST;
  return all.filter(({ tone }, at) => at === all.length - 1 || tone === "unknown" || tooMany-- <= 0);
}

export function say(tone: Tone, text: string, id = ++counter): number {
  const toast = { id, tone, text };
  const others = toasts.value.filter((other) => other.id !== id);
  toasts.value = fitting([...others, toast]);
  const stays = STAYS[tone];
  if (stays !== undefined) {
    setTimeout(() => {
      if (toasts.value.includes(toast)) dismiss(id);
    }, stays);
  }
  return id;
}

/** The outcome of an action, in the place where it was said that it was sent. */
export function tell(id: number, action: Key, outcome: Outcome): void {
  const name = { action: t(action) };
  if (outcome.kind === "done") say("done", t("outcome.done", name), id);
  else if (outcome.kind === "unknown") say("unknown", t("outcome.unknown", name), id);
  else say("refused", t("outcome.refused", { ...name, message: outcome.message }), id);
}
