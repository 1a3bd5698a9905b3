/** The frame around all views. */

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { login, logOut, type Session } from "../app/session";
import type { Settings } from "../app/settings";
import { homes } from "../core/actions";
import { mayActAs } from "../core/rights";
import { t } from "../i18n";
import { at, SessionProvider, useSession } from "./common";
import { DropChoice } from "./DropChoice";
import { Extensions } from "./Extensions";
import { Icon } from "./Icon";
import { Login } from "./Login";
import { Popups } from "./Popups";
import { Preferences } from "./Preferences";
import { Queues } from "./Queues";
import { Rooms } from "./Rooms";
import { Servers } from "./Servers";
import { Sheet } from "./Sheet";
import { Toasts } from "./Toasts";
import { Wallboard } from "./Wallboard";

const VIEWS = { extensions: Extensions, queues: Queues, rooms: Rooms, servers: Servers, wallboard: Wallboard };
type View = keyof typeof VIEWS;

const isView = (word: string): word is View => word in VIEWS;
const fromAddress = (): View => {
  const word = location.hash.replace(/^#\/?/, "");
  return isView(word) ? word : "extensions";
};

const view = signal<View>(fromAddress());
addEventListener("hashchange", () => {
  view.value = fromAddress();
});

export function App({ settings }: { settings: Settings }) {
  const state = login.value;
  return (
    <>
      {state.state === "in" ? <Inside session={state.session} settings={settings} /> : <Login settings={settings} />}
      <Toasts />
    </>
  );
}

function Inside({ session, settings }: { session: Session; settings: Settings }) {
  const shown = view.value;
  const Shown = VIEWS[shown];
  useEffect(() => {
    document.title = `${t(`nav.${shown}`)} · ${settings.title}`;
  });
  return (
    <SessionProvider value={session}>
      <Head title={settings.title} shown={shown} />
      <Trouble />
      <main id="view" tabIndex={-1} class={`view view-${shown}`} aria-label={t(`nav.${shown}`)} aria-busy={!session.store.loaded.value}>
        <h1 class="sr">{t(`nav.${shown}`)}</h1>
        {session.store.loaded.value ? <Shown /> : <p class="empty">{t("app.loading")}</p>}
      </main>
      <Sheet />
      <DropChoice />
      <Popups />
    </SessionProvider>
  );
}

function skip(event: Event) {
  event.preventDefault();
  document.getElementById("view")?.focus();
}

function Head({ title, shown }: { title: string; shown: View }) {
  return (
    <header class="head">
      <a class="skip" href={`#/${shown}`} onClick={skip}>{t("nav.skip")}</a>
      <div class="brand"><span class="logo"><Icon name="pulse" size={18} /></span><span class="name">{title}</span></div>
      <nav aria-label={t("nav.label")}>
        {(Object.keys(VIEWS) as View[]).map((name) => (
          <a key={name} href={`#/${name}`} {...(name === shown && { "aria-current": "page" as const })}>
            <Icon name={name} size={18} /><span>{t(`nav.${name}`)}</span>
          </a>
        ))}
      </nav>
      <Link />
      <Menu />
    </header>
  );
}

function Link() {
  const { link } = useSession();
  return <span class="link" data-link={link.value} role="status"><span class="dot" /><span class="word">{t(`link.${link.value}`)}</span></span>;
}

function Trouble() {
  const { lost } = useSession();
  if (lost.value === undefined) return null;
  return <p class="banner" role="alert">{t("link.lost", { time: at(lost.value) })}</p>;
}

/** Who acts, with which phone, in which language. */
function Menu() {
  const session = useSession();
  const menu = useRef<HTMLDetailsElement>(null);
  const phone = session.phone.value;
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !menu.current?.open) return;
    menu.current.open = false;
    menu.current.querySelector("summary")?.focus();
  };
  return (
    <details class="menu" ref={menu} onKeyDown={close}>
      <summary aria-label={t("head.settings", { user: session.who.user })}>
        <Icon name="user" size={18} /><span class="who">{session.who.user}</span>
        {phone && <span class="phone"><Icon name="talking" size={14} />{phone}</span>}
      </summary>
      <div class="card">
        <Phone />
        <Preferences />
        <button type="button" data-action="logout" onClick={() => logOut()}>{t("head.logout")}</button>
      </div>
    </details>
  );
}

/** The phone that the user acts with: their own, or, where they may, any. */
function Phone() {
  const session = useSession();
  const draft = useSignal(session.phone.peek() ?? "");
  if (!mayActAs(session.who)) {
    return (
      <>
        <p class="quiet">{t("head.phone")}: <strong>{session.phone.value ?? t("head.noPhone")}</strong></p>
        <PhoneServer />
      </>
    );
  }
  const { value } = draft;
  const known = session.homes.value.length > 0;
  const take = (written: string) => {
    draft.value = written;
    const phone = written.trim();
    session.useAs(homes(session.store.everybody.value, phone).length > 0 ? phone : undefined);
  };
  return (
    <>
      <label class="field">
        <span>{t("head.phone")}</span>
        <input
          name="phone" inputMode="numeric" autocomplete="off" value={value} placeholder={t("head.noPhone")}
          aria-invalid={value.trim() !== "" && !known} onInput={({ currentTarget }) => take(currentTarget.value)}
        />
      </label>
      <PhoneServer />
    </>
  );
}

/** Which phone is meant, where several servers have one of this number. */
function PhoneServer() {
  const session = useSession();
  const servers = session.homes.value;
  if (servers.length < 2) return null;
  return (
    <label class="field">
      <span>{t("head.phoneServer")}</span>
      <select name="phoneServer" value={session.actor.value.server ?? ""} onChange={({ currentTarget }) => session.useAt(currentTarget.value || undefined)}>
        <option value="">{t("head.choose")}</option>
        {servers.map((server) => <option key={server} value={server}>{server}</option>)}
      </select>
    </label>
  );
}
