/** Actions that need to be told more. */

import type { Line, TransferKind } from "@telepulse/client";
import { say } from "../app/toasts";
import { transfer } from "../core/actions";
import type { Extension } from "../core/world";
import { t } from "../i18n";
import { useSession } from "./common";
import { Icon } from "./Icon";

/** What was written into a form, emptied of it when `taken`. */
function submitted(event: Event, taken: (field: (name: string) => string) => void): void {
  event.preventDefault();
  const form = event.currentTarget as HTMLFormElement;
  const fields = new FormData(form);
  taken((name) => String(fields.get(name) ?? "").trim());
  form.reset();
}

export function TransferForm({ extension, line, kinds }: { extension: Extension; line: Line; kinds: TransferKind[] }) {
  const session = useSession();
  const submit = (event: Event) => submitted(event, (field) => {
    const command = transfer(session.actor.value, session.store.world, extension, line, field("to"), field("kind") as TransferKind);
    if (command) void session.give("act.transfer", command);
    else say("refused", t("drop.gone"));
  });
  return (
    <form class="row" data-form="transfer" aria-label={t("transfer.title")} onSubmit={submit}>
      <label class="field"><span>{t("transfer.to")}</span><input name="to" required autocomplete="off" inputMode="tel" /></label>
      <label class="field">
        <span>{t("transfer.kind")}</span>
        <select name="kind">{kinds.map((kind) => <option key={kind} value={kind}>{t(`transfer.${kind}`)}</option>)}</select>
      </label>
      <button type="submit"><Icon name="transfer" /><span>{t("transfer.submit")}</span></button>
    </form>
  );
}

export function MessageForm({ to, server }: { to: string; server: string }) {
  const session = useSession();
  const submit = (event: Event) => submitted(event, (field) => {
    void session.give("act.message", { action: "message", to, text: field("text"), server });
  });
  return (
    <form class="row" data-form="message" onSubmit={submit}>
      <label class="field grow"><span>{t("message.text")}</span><input name="text" required autocomplete="off" /></label>
      <button type="submit"><Icon name="message" /><span>{t("message.submit")}</span></button>
    </form>
  );
}

/** `queues`: those of the same server that the extension does not serve yet. */
export function AddToQueue({ extension: { server, agent }, queues }: { extension: Extension; queues: string[] }) {
  const session = useSession();
  const submit = (event: Event) => submitted(event, (field) => {
    void session.give("act.queueAdd", { action: "queueAdd", agent, queue: field("queue"), server });
  });
  return (
    <form class="row" data-form="queueAdd" onSubmit={submit}>
      <label class="field grow">
        <span>{t("sheet.addTo")}</span>
        <select name="queue">{queues.map((queue) => <option key={queue} value={queue}>{queue}</option>)}</select>
      </label>
      <button type="submit">{t("sheet.add")}</button>
    </form>
  );
}

/** Where a call goes that nobody has taken yet. */
export function SendForm({ server, call, about }: { server: string; call: string; about: string }) {
  const session = useSession();
  const submit = (event: Event) => submitted(event, (field) => {
    void session.give("act.send", { action: "transfer", call, to: field("to"), kind: "blind", server });
  });
  return (
    <details class="more">
      <summary aria-label={`${t("act.send")}: ${about}`}>{t("act.send")}</summary>
      <form class="row small" data-form="send" onSubmit={submit}>
        <label class="field inline"><span>{t("transfer.to")}</span><input name="to" required autocomplete="off" inputMode="tel" size={5} /></label>
        <button type="submit">{t("act.transfer")}</button>
      </form>
    </details>
  );
}
