/** Who are you? */

import { useRef } from "preact/hooks";
import { giveUp, logIn, login } from "../app/session";
import type { Settings } from "../app/settings";
import { t } from "../i18n";
import { Icon } from "./Icon";
import { Preferences } from "./Preferences";

export function Login({ settings }: { settings: Settings }) {
  const token = useRef<HTMLInputElement>(null);
  const state = login.value;
  const checking = state.state === "checking";
  const trouble = state.state === "out" ? state.error : state.state === "checking" ? state.note : "";
  if (state.state === "checking" && state.note === "") return <main class="login"><p class="quiet" role="status">{t("login.checking")}</p></main>;
  const submit = (event: Event) => {
    event.preventDefault();
    logIn(settings, token.current?.value.trim());
  };
  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <div class="brand"><span class="logo"><Icon name="pulse" size={22} /></span><h1>{settings.title}</h1></div>
        <p class="quiet">{t("login.intro")}</p>
        <label class="field">
          <span>{t("login.token")}</span>
          <input ref={token} type="password" name="token" autocomplete="current-password" required autofocus aria-describedby="login-hint" />
        </label>
        <p id="login-hint" class="hint">{t("login.hint")}</p>
        <p class="trouble" role="alert">{trouble}</p>
        <button type="submit" class="primary" disabled={checking}>{t(checking ? "login.checking" : "login.submit")}</button>
        {checking && <button type="button" onClick={() => giveUp()}>{t("drop.cancel")}</button>}
      </form>
      <Preferences />
    </main>
  );
}
