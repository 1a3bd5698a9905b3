/** Which tiles are shown, and in which order. */

import { bucket, mood, nameOf, type Bucket } from "./tile";
import type { Extension, World } from "./world";

/** What to filter by; `undefined` is everything. */
export type Group =
  | { kind: "group"; name: string }
  | { kind: "queue"; name: string }
  | { kind: "server"; name: string };

export interface Wanted {
  text: string;
  group: Group | undefined;
  bucket: Bucket | undefined;
}

/** Groups of the settings: extensions, and ranges of them like `101-120`. */
export type Groups = Record<string, string[]>;

export type Counts = Record<Bucket, number>;

export interface Found {
  keys: string[];
  /** Of those that text and group let through, how many in each bucket. */
  counts: Counts;
  total: number;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Everybody, by number; sorted once, as long as nobody comes or goes. */
export function ordered(world: World): Extension[] {
  return [...world.extensions.values()].sort(
    (one, other) => collator.compare(one.agent, other.agent) || collator.compare(one.server, other.server),
  );
}

export function find(everybody: readonly Extension[], wanted: Wanted, groups: Groups): Found {
  const words = wanted.text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const belongs = membership(wanted.group, groups);
  const counts: Counts = { busy: 0, ringing: 0, free: 0, resting: 0, offline: 0 };
  const keys: string[] = [];
  let total = 0;
  for (const extension of everybody) {
    if (!belongs(extension) || !matches(extension, words)) continue;
    const is = bucket(mood(extension));
    counts[is] += 1;
    total += 1;
    if (!wanted.bucket || wanted.bucket === is) keys.push(extension.key);
  }
  return { keys, counts, total };
}

function matches(extension: Extension, words: readonly string[]): boolean {
  return words.every((word) => {
    const has = (text: string) => text.toLocaleLowerCase().includes(word);
    return has(extension.agent) || has(nameOf(extension)) || extension.lines.some((line) => has(line.number) || has(line.name));
  });
}

export function membership(group: Group | undefined, groups: Groups): (extension: Extension) => boolean {
  switch (group?.kind) {
    case "server":
      return (extension) => extension.server === group.name;
    case "queue":
      return (extension) => extension.queues.has(group.name);
    case "group": {
      const members = groups[group.name] ?? [];
      return (extension) => members.some((member) => within(member, extension.agent));
    }
    default:
      return () => true;
  }
}

/** `101`, or `101-120`: numbers of the same length between the two. */
export function within(member: string, agent: string): boolean {
  const [first, last] = member.split("-");
  if (first === undefined || last === undefined) return member === agent;
  return agent.length === first.length && /^\d+$/.test(agent) && Number(first) <= Number(agent) && Number(agent) <= Number(last);
}
