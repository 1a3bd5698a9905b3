/** What became of a command, told as it is: done, refused, or not known. */

import { Refused } from "@telepulse/client";

export type Outcome =
  | { kind: "done"; actionId: string | undefined }
  | { kind: "refused"; code: string; message: string }
  | { kind: "unknown"; message: string };

/** Sent, and no answer: it may have been done, so neither yes nor no is true. */
const NOT_KNOWN = new Set(["unknownOutcome", "timeout"]);

export function done(result: Record<string, unknown>): Outcome {
  const actionId = result["actionId"];
  return { kind: "done", actionId: typeof actionId === "string" ? actionId : undefined };
}

export function failed(error: unknown): Outcome {
  if (!(error instanceof Refused)) return { kind: "unknown", message: String(error) };
  if (NOT_KNOWN.has(error.code)) return { kind: "unknown", message: error.message };
  return { kind: "refused", code: error.code, message: error.message };
}
