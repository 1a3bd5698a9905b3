/** Something was dropped on an extension: what is meant? */

import type { Command } from "@telepulse/client";
import { useEffect, useRef } from "preact/hooks";
import { dropped, type Dragged } from "../app/choice";
import type { Session } from "../app/session";
import { say } from "../app/toasts";
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
  // What is offered changes with the calls that it is about.
  session.store.tile(drop.onto).value;
  if (drop.from.kind === "extension") session.store.tile(drop.from.key).value;
  else session.store.queues.value;
  session.store.counts.value;
  const onto = world.extensions.get(drop.onto);
  const from = nameOfDragged(world, drop.from);
  if (!onto) return null;
  const choices = choicesOf(session, drop.from, onto, from);
  const close = () => (dropped.value = undefined);
  return (
    <dialog class="card choice" ref={dialog} aria-labelledby="drop-title" onClose={close}>
      <h2 id="drop-title">{t("drop.title", { from, onto: named(onto) })}</h2>
      {choices.length === 0 && <p>{t(isGone(world, drop.from) ? "drop.gone" : "drop.none")}</p>}
      {choices.map(({ action, words }, at) => (
        <button
          key={words} type="button" class={at === 0 ? "primary" : ""} data-drop={action}
          onClick={() => {
            // As it is now, not as it was drawn.
            const now = choicesOf(session, drop.from, onto, from).find((choice) => choice.words === words);
            if (now) void session.give(action, now.command);
            else say("refused", t("drop.gone"));
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

/** Whether the call that was dragged is not there any more. */
function isGone(world: World, from: Dragged): boolean {
  if (from.kind === "caller") return !waits(world, from);
  return from.channel !== undefined && !world.extensions.get(from.key)?.lines.some(({ channel }) => channel === from.channel);
}

const waits = (world: World, { server, call }: { server: string; call: string }) =>
  [...world.queues.values()].some((queue) => queue.server === server && queue.callers.some((caller) => caller.call === call));

function choicesOf(session: Session, from: Dragged, onto: Extension, name: string): Choice[] {
  const actor = session.actor.value;
  const values = { from: name, onto: named(onto) };
  if (from.kind === "caller") {
    if (!may(actor.who, "transfer", [onto.agent]) || from.server !== onto.server || !waits(session.store.world, from)) return [];
    const command: Command = { action: "transfer", call: from.call, to: onto.agent, kind: "blind", server: from.server };
    return [{ action: "act.transfer", words: t("drop.transfer.blind", values), command }];
  }
  const extension = session.store.world.extensions.get(from.key);
  if (!extension) return [];
  return drops(actor, session.store.world, extension, onto, from.channel).map((drop) => ({
    action: `act.${drop.kind}`,
    words: drop.kind === "transfer" ? t(`drop.transfer.${drop.how}`, values) : t(`drop.${drop.kind}`, values),
    command: drop.command,
  }));
}
