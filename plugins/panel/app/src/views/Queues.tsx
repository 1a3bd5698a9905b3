/** Queues: who waits, who serves, and how well. */

import type { Caller } from "@telepulse/client";
import { dragged, open, taking } from "../app/choice";
import { ofMember } from "../core/actions";
import { reach } from "../core/rights";
import { keyOf, type Member, type QueueState } from "../core/world";
import { t } from "../i18n";
import { Act, at, Foreign, Since, useSession } from "./common";
import { SendForm } from "./forms";
import { Icon } from "./Icon";
import { QueueFigures, useStale } from "./QueueFigures";

export function Queues() {
  const { store } = useSession();
  store.queues.value;
  store.servers.value;
  const queues = [...store.world.queues.values()].sort((one, other) => one.key.localeCompare(other.key));
  if (queues.length === 0) return <p class="empty">{t("queue.none")}</p>;
  return <div class="scroll cards">{queues.map((queue) => <QueueCard key={queue.key} queue={queue} />)}</div>;
}

function QueueCard({ queue }: { queue: QueueState }) {
  const { store, settings } = useSession();
  const stale = useStale(queue);
  return (
    <section class="card queue" aria-labelledby={`queue-${queue.key}`} data-queue={queue.queue} {...(stale !== undefined && { "data-stale": "" })}>
      <header>
        <h2 id={`queue-${queue.key}`}><Foreign text={queue.queue} /></h2>
        <span class="quiet">{queue.server}{stale !== undefined && <> · {t("tile.asOf", { time: at(stale) })}</>}</span>
      </header>
      <QueueFigures queue={queue} withPaused />
      <p class="hint">
        {t("queue.answered")} {queue.served.answered} · {t("queue.abandoned")} {queue.served.abandoned} ·{" "}
        {t("queue.levelHint", { seconds: settings.serviceLevelSeconds })} · {t("queue.since", { time: at(store.world.since) })}
      </p>
      <h3>{t("queue.callers")}</h3>
      {queue.callers.length === 0 && <p class="quiet">{t("queue.nobodyWaits")}</p>}
      <ol class="rows">{queue.callers.map((caller) => <Waiting key={caller.call} server={queue.server} caller={caller} stale={stale} />)}</ol>
      <h3>{t("queue.members")}</h3>
      {queue.members.size === 0 && <p class="quiet">{t("queue.nobodyServes")}</p>}
      <ul class="rows">
        {[...queue.members.values()].map((member) => <Serving key={member.agent} server={queue.server} member={member} />)}
      </ul>
    </section>
  );
}

function Waiting({ server, caller, stale }: { server: string; caller: Caller; stale: number | undefined }) {
  const { who } = useSession();
  const name = caller.name || caller.number || t("tile.withheld");
  const start = (event: DragEvent) => {
    dragged.value = { kind: "caller", server, call: caller.call, name };
    // Some browsers drag nothing that has no data.
    event.dataTransfer?.setData("text/plain", name);
  };
  return (
    <li draggable onDragStart={start} onDragEnd={() => (dragged.value = undefined)}>
      <span class="position">{t("queue.position", { position: caller.position })}</span>
      <span class="grow"><Foreign text={name} /> {caller.name && <span class="quiet"><Foreign text={caller.number} /></span>}</span>
      <Since time={Date.parse(caller.since)} stale={stale} />
      {reach(who, "transfer") === "any" && <SendForm server={server} call={caller.call} about={name} />}
    </li>
  );
}

function Serving({ server, member }: { server: string; member: Member }) {
  const session = useSession();
  return (
    <li data-agent={member.agent} data-status={member.status} {...taking(keyOf(server, member.agent))}>
      <span class="state-dot" data-status={member.status}><Icon name={member.status === "paused" ? "paused" : member.status === "not_inuse" ? "free" : member.status === "unavailable" ? "offline" : "talking"} size={14} /></span>
      <span class="grow">
        <button type="button" class="name" onClick={() => open(keyOf(server, member.agent))}><Foreign text={member.name || member.agent} /></button>{" "}
        <span class="quiet">
          {t(`member.${member.status}`)}{member.reason && <> (<Foreign text={member.reason} />)</>} · {t("sheet.calls", { count: member.callsTaken })}
        </span>
      </span>
      {ofMember(session.actor.value, server, member).map((one) => (
        <Act key={one.id} ready={one} about={member.name || member.agent} compact={one.id === "queueRemove"} />
      ))}
    </li>
  );
}
