/** All extensions as live tiles. */

import { useComputed } from "@preact/signals";
import { bucket, group, text } from "../app/choice";
import { find, type Group } from "../core/find";
import { may } from "../core/rights";
import type { Bucket } from "../core/tile";
import { t } from "../i18n";
import { useSession } from "./common";
import { Grid } from "./Grid";
import { Icon } from "./Icon";

const BUCKETS: Bucket[] = ["busy", "ringing", "free", "resting", "offline"];
const DIALLED = /^[+*#\d]{2,}$/;

export function Extensions() {
  const { store, settings } = useSession();
  const found = useComputed(() => {
    store.counts.value;
    return find(store.everybody.value, { text: text.value, group: group.value, bucket: bucket.value }, settings.groups);
  });
  const { keys, counts, total } = found.value;
  return (
    <>
      <div class="bar">
        <label class="search">
          <Icon name="search" /><span class="sr">{t("find.search")}</span>
          <input type="search" name="search" placeholder={t("find.search")} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
        </label>
        <GroupChoice />
        <DialButton />
        <div class="chips" role="group" aria-label={t("find.moods")}>
          <Chip name={t("bucket.all")} count={total} />
          {BUCKETS.map((one) => <Chip key={one} bucket={one} name={t(`bucket.${one}`)} count={counts[one]} />)}
        </div>
      </div>
      {keys.length > 0
        ? <Grid keys={keys} />
        : <p class="empty">{t(store.everybody.value.length === 0 ? "find.empty" : "find.none")}</p>}
    </>
  );
}

function Chip({ bucket: is, name, count }: { bucket?: Bucket; name: string; count: number }) {
  const pressed = bucket.value === is;
  return (
    <button type="button" class="chip" aria-pressed={pressed} data-bucket={is ?? "all"} onClick={() => (bucket.value = pressed ? undefined : is)}>
      <span class="dot" /><span>{name}</span> <strong>{count}</strong>
    </button>
  );
}

/** Groups of the settings, queues, servers. */
function GroupChoice() {
  const { store, settings } = useSession();
  store.servers.value;
  store.queues.value;
  const all: Record<Group["kind"], string[]> = {
    group: Object.keys(settings.groups),
    queue: [...new Set([...store.world.queues.values()].map(({ queue }) => queue))].sort(),
    server: [...store.world.servers.keys()].sort(),
  };
  const labels = { group: t("find.groups"), queue: t("find.queues"), server: t("find.servers") };
  const take = (value: string) => {
    const [kind, name] = value.split(/:(.*)/s) as [Group["kind"] | "", string | undefined];
    group.value = kind === "" || name === undefined ? undefined : { kind, name };
  };
  const value = group.value ? `${group.value.kind}:${group.value.name}` : "";
  return (
    <label class="field inline">
      <span class="sr">{t("find.group")}</span>
      <select name="group" value={value} onChange={(event) => take(event.currentTarget.value)}>
        <option value="">{t("find.everybody")}</option>
        {(["group", "queue", "server"] as const).map((kind) => all[kind].length > 0 && (
          <optgroup key={kind} label={labels[kind]}>
            {all[kind].map((name) => <option key={name} value={`${kind}:${name}`}>{name}</option>)}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

/** What is searched for can be called, if it is a number. */
function DialButton() {
  const session = useSession();
  const { who, phone, server } = session.actor.value;
  const to = text.value.trim();
  if (!DIALLED.test(to) || phone === undefined || phone === to || session.homeless.value || !may(who, "dial", [phone])) return null;
  return (
    <button type="button" class="primary" data-action="dialNumber" onClick={() => void session.give("act.dial", { action: "dial", from: phone, to, ...(server && { server }) })}>
      <Icon name="talking" /><span>{t("act.dial")} <bdi>{to}</bdi></span>
    </button>
  );
}
