/** Who may do what: the host decides, this only keeps what it would refuse from being offered. */

import type { Who } from "@telepulse/client";

export type Reach = "any" | "own" | "no";

/** How far a command of this name is allowed, as the host reads `allow`. */
export function reach(who: Who, action: string): Reach {
  const { allow } = who;
  if (allow.includes("*") || allow.includes(action)) return "any";
  if (allow.includes(`${action}:own`) || allow.includes("*:own")) return "own";
  return "no";
}

/** Whether it is allowed, about these extensions: for `:own` the user's has to be one of them. */
export function may(who: Who, action: string, about: readonly string[]): boolean {
  const how = reach(who, action);
  return how === "any" || (how === "own" && who.extension !== undefined && about.includes(who.extension));
}

/** Extensions whose phone the user may have do something: their own, or any that they see. */
export function mayActAs(who: Who): boolean {
  return ["dial", "pickup", "spy", "whisper", "barge"].some((action) => reach(who, action) === "any");
}
