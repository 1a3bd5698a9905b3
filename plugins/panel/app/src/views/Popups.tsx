/** Who calls: on the pages of those whose phones ring. */

import { may } from "../core/rights";
import { keyOf, type CallerKnown, type Popup } from "../core/world";
import { t } from "../i18n";
import { Foreign, Since, useSession } from "./common";
import { Icon } from "./Icon";

/** As many as fit beside a view. */
const MOST = 3;
const DEEPEST = 2;

export function Popups() {
  const { store } = useSession();
  store.popups.value;
  const shown = [...store.world.popups.values()]
    .sort((one, other) => other.since - one.since)
    .slice(0, MOST);
  // What is announced has to be in a place that was there before.
  return (
    <>
      <p class="sr" role="status" data-announced>
        {shown.map((popup) => <span key={popup.call}><Foreign text={popup.number || t("tile.withheld")} />: {stateOf(popup)}. </span>)}
      </p>
      {shown.length > 0 && <div class="popups">{shown.map((popup) => <PopupCard key={popup.call} popup={popup} />)}</div>}
    </>
  );
}

const stateOf = ({ state, reason }: Popup) => t(`popup.${state}`) + (reason ? ` (${t(`popup.${reason as "onHook"}`)})` : "");

function PopupCard({ popup }: { popup: Popup }) {
  const session = useSession();
  const { store, who } = session;
  const known = store.world.known.get(popup.call);
  const close = () => {
    if (popup.state !== "closed" && may(who, "popupClose", [popup.agent])) {
      void session.give("act.popupClose", { action: "popupClose", call: popup.call, agent: popup.agent });
    }
    store.closePopup(keyOf(popup.agent, popup.call));
  };
  const note = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = String(new FormData(form).get("text") ?? "").trim();
    void session.give("act.note", { action: "note", call: popup.call, text }).then(({ kind }) => {
      if (kind === "done") form.reset();
    });
  };
  return (
    <section class="card popup" data-state={popup.state} aria-label={t("popup.label", { number: popup.number })}>
      <header>
        <span class="mark"><Icon name={popup.state === "ringing" ? "ringing" : "talking"} size={18} /></span>
        <span class="grow">
          <strong><Foreign text={popup.number || t("tile.withheld")} /></strong>{" "}
          <span class="quiet">{stateOf(popup)} <Since time={popup.since} /></span>
        </span>
        <button type="button" class="plain" data-action="popupClose" aria-label={t("popup.close")} onClick={close}><Icon name="close" /></button>
      </header>
      <Known known={known} />
      {may(who, "note", [popup.agent]) && (
        <form data-form="note" onSubmit={note}>
          <label class="field"><span>{t("popup.note")}</span><textarea name="text" rows={2} required /></label>
          <button type="submit">{t("popup.save")}</button>
        </form>
      )}
    </section>
  );
}

function Known({ known }: { known: CallerKnown | undefined }) {
  if (!known) return null;
  if (known.info === null) return <p class="quiet">{t("popup.nobody")}</p>;
  return <Value value={known.info} depth={0} />;
}

/** Any JSON, as names and values; links are words, too: what a CRM sends is not trusted. */
function Value({ value, depth }: { value: unknown; depth: number }) {
  if (value === null || typeof value !== "object") return <Foreign text={String(value)} />;
  if (depth >= DEEPEST) return <Foreign text={JSON.stringify(value)} />;
  if (Array.isArray(value)) return <>{value.map((item, at) => <span key={at} class="item"><Value value={item} depth={depth + 1} /></span>)}</>;
  return (
    <dl class="known">
      {Object.entries(value).map(([name, inner]) => (
        <div key={name}><dt><Foreign text={name} /></dt><dd><Value value={inner} depth={depth + 1} /></dd></div>
      ))}
    </dl>
  );
}
