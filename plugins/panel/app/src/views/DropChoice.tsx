/** Something was dropped on an extension: what is meant? */

import type { Command } from "@telepulse/client";
import { useEffect, useRef } from "preact/hooks";
import { dropped, type Dragged } from "../app/choice";
import type { Session } from "../app/session";
import { drops } from "../core/actions";
import { may } from "../core/rights";
import { nameOf } from "../core/tile";
import type { Extension, World } from "../core/world";
import { t, type Key } from "../i18n";
import { useSession } from "./common";

interface Choice {
  action: Key;
  words: string;
  command: Command;
}

export function DropChoice() {
  const session = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const drop = dropped.value;
  useEffect(() => {
    if (drop && !dialog.current?.open) dialog.current?.showModal();
  }, [drop]);
  if (!drop) return null;
  const { world } = session.store;
  const onto = world.extensions.get(drop.onto);
  const from = nameOfDragged(world, drop.from);
  if (!onto) return null;
  const choices = choicesOf(session, drop.from, onto, from);
  const close = () => (dropped.value = undefined);
  return (
    <dialog class="card choice" ref={dialog} aria-labelledby="drop-title" onClose={close}>
      <h2 id="drop-title">{t("drop.title", { from, onto: named(onto) })}</h2>
      {choices.length === 0 && <p>{t("drop.none")}</p>}
      {choices.map(({ action, words, command }, at) => (
        <button
          key={words} type="button" class={at === 0 ? "primary" : ""} data-drop={action}
          onClick={() => {
            void session.give(action, command);
            close();
          }}
        >
          {words}
        </button>
      ))}
      <button type="button" onClick={close}>{t("drop.cancel")}</button>
    </dialog>
  );
}

const named = (extension: Extension) => nameOf(extension) || extension.agent;

function nameOfDragged(world: World, from: Dragged): string {
  if (from.kind === "caller") return from.name;
  const extension = world.extensions.get(from.key);
  return extension ? named(extension) : "";
}

function choicesOf(session: Session, from: Dragged, onto: Extension, name: string): Choice[] {
  const actor = session.actor.value;
  const values = { from: name, onto: named(onto) };
  if (from.kind === "caller") {
    if (!may(actor.who, "transfer", [onto.agent]) || from.server !== onto.server) return [];
    const command: Command = { action: "transfer", call: from.call, to: onto.agent, kind: "blind", server: from.server };
    return [{ action: "act.transfer", words: t("drop.transfer.blind", values), command }];
  }
  const extension = session.store.world.extensions.get(from.key);
  if (!extension) return [];
  return drops(actor, session.store.world, extension, onto).map((drop) => ({
    action: `act.${drop.kind}`,
    words: drop.kind === "transfer" ? t(`drop.transfer.${drop.how}`, values) : t(`drop.${drop.kind}`, values),
    command: drop.command,
  }));
}
