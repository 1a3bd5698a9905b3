/** All of one extension: its lines, its queues, and what can be done. */

import type { Line } from "@telepulse/client";
import { useEffect, useRef } from "preact/hooks";
import { close, opened } from "../app/choice";
import { ofExtension, ofLine, ofMember, transfers } from "../core/actions";
import { may } from "../core/rights";
import { mood, nameOf, staleOf } from "../core/tile";
import type { Extension, Member } from "../core/world";
import { t } from "../i18n";
import { Act, at, Foreign, Since, useSession } from "./common";
import { AddToQueue, MessageForm, TransferForm } from "./forms";
import { Icon } from "./Icon";

export function Sheet() {
  const session = useSession();
  const key = opened.value;
  const sheet = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (key === undefined) return;
    sheet.current?.focus();
    // From wherever the keyboard is, but for what is open above it.
    const leave = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open], .menu[open]")) close();
    };
    document.addEventListener("keydown", leave);
    return () => document.removeEventListener("keydown", leave);
  }, [key]);
  if (key === undefined) return null;
  session.store.tile(key).value;
  session.store.counts.value;
  const extension = session.store.world.extensions.get(key);
  if (!extension) return null;
  const title = nameOf(extension) || extension.agent;
  return (
    <div class="sheet" ref={sheet} tabIndex={-1} role="dialog" aria-labelledby="sheet-title">
      <div class="sheet-head" data-mood={mood(extension)}>
        <span class="mark"><Icon name={mood(extension)} size={22} /></span>
        <div>
          <h2 id="sheet-title"><Foreign text={title} /></h2>
          <p class="quiet">{extension.agent} · {t("sheet.server", { server: extension.server })} · {t(`mood.${mood(extension)}`)}</p>
        </div>
        <button type="button" class="plain" data-action="closeSheet" aria-label={t("sheet.close")} onClick={close}><Icon name="close" size={20} /></button>
      </div>
      <Freshness extension={extension} />
      <General extension={extension} />
      <h3>{t("sheet.lines")}</h3>
      {extension.lines.length === 0 && <p class="quiet">{t("sheet.noLines")}</p>}
      {extension.lines.map((line) => <LineView key={line.channel} extension={extension} line={line} />)}
      <Serves extension={extension} />
    </div>
  );
}

function Freshness({ extension }: { extension: Extension }) {
  const { store, lost } = useSession();
  const stale = staleOf(store.world, extension.server, lost.value);
  if (stale !== undefined) return <p class="banner">{t("sheet.stale", { time: at(stale) })}</p>;
  return <p class="hint">{t("sheet.heard", { time: at(extension.heard) })}</p>;
}

function General({ extension }: { extension: Extension }) {
  const session = useSession();
  const actor = session.actor.value;
  const ready = ofExtension(actor, extension);
  const canSay = may(actor.who, "message", [extension.agent]);
  const acts = ["dial", "pickup", "spy", "whisper", "barge"].some((action) => may(actor.who, action, [actor.who.extension ?? ""]));
  return (
    <div class="acts">
      {ready.map((one) => <Act key={one.id} ready={one} />)}
      {canSay && <MessageForm to={extension.agent} server={extension.server} />}
      {actor.phone === undefined && acts && <p class="hint">{t("sheet.noPhone")}</p>}
      {actor.phone !== undefined && session.homeless.value && acts && <p class="hint">{t("head.chooseServer")}</p>}
      {!canSay && !acts && <p class="hint">{t("sheet.noRights")}</p>}
    </div>
  );
}

function LineView({ extension, line }: { extension: Extension; line: Line }) {
  const session = useSession();
  const actor = session.actor.value;
  const { world } = session.store;
  const kinds = transfers(actor, world, extension, line);
  return (
    <section class="line card" data-state={line.state} data-recording={String(line.recording)}>
      <p class="line-who">
        <Icon name={line.direction} size={14} />
        <strong><Foreign text={line.name || line.number || t("tile.withheld")} /></strong>
        {line.name && <span class="number"><Foreign text={line.number} /></span>}
        <Since time={Date.parse(line.since)} stale={staleOf(world, extension.server, session.lost.value)} />
      </p>
      {line.queue && <p class="hint">{t("sheet.via", { queue: line.queue })}</p>}
      <div class="acts">{ofLine(actor, world, extension, line).map((one) => <Act key={one.id} ready={one} />)}</div>
      {kinds.length > 0 && <TransferForm extension={extension} line={line} kinds={kinds} />}
    </section>
  );
}

function Serves({ extension }: { extension: Extension }) {
  const session = useSession();
  const actor = session.actor.value;
  const members = [...extension.queues.values()];
  session.store.queues.value;
  const others = may(actor.who, "queueAdd", [extension.agent])
    ? [...session.store.world.queues.values()].filter(({ server, queue }) => server === extension.server && !extension.queues.has(queue))
    : [];
  if (members.length + others.length === 0) return null;
  return (
    <>
      <h3>{t("sheet.queues")}</h3>
      <ul class="rows">
        {members.map((member) => <Serving key={member.queue} server={extension.server} member={member} />)}
      </ul>
      {others.length > 0 && <AddToQueue extension={extension} queues={others.map(({ queue }) => queue)} />}
    </>
  );
}

function Serving({ server, member }: { server: string; member: Member }) {
  const session = useSession();
  return (
    <li data-queue={member.queue} data-status={member.status}>
      <span class="grow">
        <strong><Foreign text={member.queue} /></strong>{" "}
        <span class="quiet">{t(`member.${member.status}`)}{member.reason && <> (<Foreign text={member.reason} />)</>}</span>
      </span>
      {ofMember(session.actor.value, server, member).map((one) => <Act key={one.id} ready={one} about={member.queue} compact={one.id === "queueRemove"} />)}
    </li>
  );
}
