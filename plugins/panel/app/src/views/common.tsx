/** Small parts that several views use. */

import { createContext } from "preact";
import { useContext, useMemo } from "preact/hooks";
import type { Ready } from "../core/actions";
import type { Session } from "../app/session";
import { since } from "../app/clock";
import { clock } from "../core/format";
import { language, t } from "../i18n";
import { Icon, type IconName } from "./Icon";

const Context = createContext<Session | undefined>(undefined);

export const SessionProvider = Context.Provider;

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("nobody is logged in here");
  return session;
}

/** How long since then, second by second; where it is `stale`, as long as it was then. */
export function Since({ time, stale }: { time: number; stale?: number | undefined }) {
  const text = useMemo(() => since(time, stale), [time, stale]);
  return <span class="since">{text}</span>;
}

/** A time of day, as it is written here. */
export const at = (time: number) => clock(time, language.value);

/** Words from outside: whatever is in them, they stay where they are. */
export function Foreign({ text, label }: { text: string; label?: string }) {
  return <bdi {...(label && { title: label })}>{text}</bdi>;
}

const ICONS: Partial<Record<Ready["id"], IconName>> = {
  dial: "talking", pickup: "in", hangup: "hangup", park: "parked", recordStart: "record", recordPause: "paused",
  recordResume: "record", recordStop: "record", mute: "muted", unmute: "muted", spy: "ear", whisper: "message",
  barge: "conference", queuePause: "paused", queueUnpause: "free", queueRemove: "close", fetch: "in",
  conferenceKick: "close", conferenceMute: "muted", conferenceUnmute: "muted", conferenceLock: "lock",
  conferenceUnlock: "lock",
};

/** A button for an action that needs nothing more. */
export function Act({ ready, about, compact = false }: { ready: Ready; about?: string; compact?: boolean }) {
  const session = useSession();
  const name = t(`act.${ready.id}`);
  const icon = ICONS[ready.id];
  return (
    <button
      type="button" class={`act act-${ready.id}${compact ? " compact" : ""}`} {...(compact && { title: name })} data-action={ready.id} {...(about && { "aria-label": `${name}: ${about}` })}
      onClick={() => void session.give(`act.${ready.id}`, ready.command)}
    >
      {icon && <Icon name={icon} />}
      <span>{name}</span>
    </button>
  );
}

/** A part of a hundred; a dash while there is nothing to tell. */
export function Percent({ value }: { value: number | undefined }) {
  return value === undefined ? <>{t("board.none")}</> : <>{value}<span class="unit">%</span></>;
}

/** A figure with its name. */
export function Figure({ name, value, tone, hint }: { name: string; value: preact.ComponentChildren; tone?: string | undefined; hint?: string }) {
  return (
    <div class="figure" {...(tone && { "data-tone": tone })}>
      <dt>{name}{hint && <span class="hint">{hint}</span>}</dt>
      <dd>{value}</dd>
    </div>
  );
}
