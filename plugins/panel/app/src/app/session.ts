/** A user who is logged in: the connection, the world, and commands given. */

import { computed, effect, signal, type Signal } from "@preact/signals";
import { TelePulse, type Command, type State, type Who } from "@telepulse/client";
import { home, homes, type Actor } from "../core/actions";
import { WANTED, type Touched } from "../core/apply";
import { done, failed, type Outcome } from "../core/outcome";
import { mayActAs } from "../core/rights";
import { t, type Key } from "../i18n";
import { forGood, untilDone } from "./again";
import { forget } from "./choice";
import { hostTime } from "./clock";
import { gatewayOf, type Settings } from "./settings";
import { Store } from "./store";
import { say, tell, toasts } from "./toasts";

const TOKEN = "telepulse.token";
const PHONE = "telepulse.phone";
const PHONE_SERVER = "telepulse.phoneServer";
/** What happens together is asked for together, in milliseconds. */
const TOGETHER = 150;

/** How far a login is. */
export type Login =
  | { state: "out"; error: string }
  | { state: "checking"; note: string }
  | { state: "in"; session: Session };

export const login = signal<Login>({ state: "out", error: "" });

export class Session {
  readonly store: Store;
  readonly link = signal<State>("connecting");
  /** Since when there is no connection. */
  readonly lost = signal<number | undefined>(undefined);
  readonly phone = signal<string | undefined>(undefined);
  /** Which of several servers the phone is on. */
  readonly phoneServer = signal(sessionStorage.getItem(PHONE_SERVER) ?? undefined);
  readonly homes = computed(() => homes(this.store.everybody.value, this.phone.value));
  /** The phone's number is on several servers, and it was not said which is meant. */
  readonly homeless = computed(() => this.homes.value.length > 1 && this.actor.value.server === undefined);
  readonly actor = computed<Actor>(() => (
    { who: this.who, phone: this.phone.value, server: home(this.homes.value, this.phoneServer.value) }
  ));
  #pulse: TelePulse;
  #who: Signal<Who>;
  #endPopups = (): void => {};
  /** What is being asked for, and whether something changed there since. */
  #asking = new Map<"parked" | "conferences", { again: boolean }>();
  #asked = 0;
  /** Dials of this page that may still come to nothing. */
  #dials = new Set<string>();

  constructor(pulse: TelePulse, who: Who, readonly settings: Settings) {
    this.#who = signal(who);
    this.#pulse = pulse;
    this.store = new Store(() => settings.serviceLevelSeconds, (touched) => this.#aside(touched));
    this.phone.value = who.extension ?? (mayActAs(who) ? (sessionStorage.getItem(PHONE) ?? undefined) : undefined);
    this.#endPopups = effect(() => {
      const { phone: agent, server } = this.actor.value;
      this.store.own(agent === undefined ? undefined : { agent, server });
    });
    this.link.value = pulse.state;
    pulse.onState((state, reason) => this.#linkIs(state, reason));
    pulse.subscribe({ events: WANTED }, {
      snapshot: (snapshot) => {
        this.lost.value = undefined;
        this.store.snapshot(snapshot);
      },
      event: (event) => {
        if (this.lost.peek() !== undefined) this.#back();
        this.store.event(event);
      },
      resumed: () => this.#back(),
      refused: (error) => logOut(t("login.ended", { why: error.message })),
    });
  }

  /** The user, with the rights of the last connection. */
  get who(): Who {
    return this.#who.value;
  }

  useAs(phone: string | undefined): void {
    this.phone.value = phone;
    if (phone === undefined) sessionStorage.removeItem(PHONE);
    else sessionStorage.setItem(PHONE, phone);
  }

  useAt(server: string | undefined): void {
    this.phoneServer.value = server;
    if (server === undefined) sessionStorage.removeItem(PHONE_SERVER);
    else sessionStorage.setItem(PHONE_SERVER, server);
  }

  /** Gives a command, and tells what became of it. */
  async give(action: Key, command: Command): Promise<Outcome> {
    const id = say("sent", t("outcome.sent", { action: t(action) }));
    const outcome = await this.#pulse.command(command).then(done, failed);
    if (outcome.kind === "done" && outcome.actionId) this.#dials.add(outcome.actionId);
    tell(id, action, outcome);
    return outcome;
  }

  close(): void {
    this.#endPopups();
    this.#pulse.close();
  }

  #linkIs(state: State, reason: string): void {
    this.link.value = state;
    if (state === "closed") logOut(reason === "closed" ? "" : t("login.ended", { why: reason }));
    // Connected is not heard yet: the client subscribes anew first. Meanwhile, rights may have changed.
    else if (state === "connected") this.#askWho();
    else if (this.lost.peek() === undefined) {
      this.lost.value = hostTime();
      this.store.refresh();
    }
  }

  #askWho(): void {
    const asking = ++this.#asked;
    const wanted = () => asking === this.#asked && this.#pulse.state === "connected";
    untilDone(() => this.#pulse.whoami(), wanted).then((who) => {
      if (asking !== this.#asked) return;
      this.#who.value = who;
      if (who.extension !== undefined) this.phone.value = who.extension;
      else if (!mayActAs(who)) this.phone.value = undefined;
      this.store.refresh();
    }, (error: Error) => {
      if (asking === this.#asked && forGood(error)) logOut(t("login.ended", { why: error.message }));
    });
  }

  #back(): void {
    if (this.lost.peek() === undefined) return;
    this.lost.value = undefined;
    this.store.refresh();
  }

  #aside(touched: Touched): void {
    if (touched.parked) this.#ask("parked");
    if (touched.conferences) this.#ask("conferences");
    for (const { agent, from, text } of touched.messages) {
      say("message", t("message.from", { from: from ?? "TelePulse", agent: agent ?? "", text }));
    }
    for (const { actionId, reason } of touched.failed) {
      if (this.#dials.delete(actionId)) say("refused", t("outcome.failed", { reason }));
    }
  }

  /** Events tell that something changed there, but not all of it. */
  #ask(what: "parked" | "conferences"): void {
    const asking = this.#asking.get(what);
    if (asking) {
      asking.again = true;
      return;
    }
    const asked = { again: false };
    this.#asking.set(what, asked);
    const ask = () => {
      asked.again = false;
      return this.#pulse.query(what);
    };
    const over = () => {
      this.#asking.delete(what);
      if (asked.again) this.#ask(what);
    };
    setTimeout(() => {
      untilDone(ask, () => this.#pulse.state !== "closed").then((items) => this.store.took(what, items), () => {}).then(over);
    }, TOGETHER);
  }
}

/** Ends a login that does not come to an end. */
export let giveUp = (): void => {};

/** Logs in with a token; with the one of this tab, if there is one and none is given. */
export function logIn(settings: Settings, token = sessionStorage.getItem(TOKEN) ?? ""): void {
  if (token === "") return;
  login.value = { state: "checking", note: "" };
  const gateway = gatewayOf(settings, location);
  const pulse = new TelePulse({ url: gateway, token });
  let asked = 0;
  const wrong = (error: string) => {
    asked += 1;
    heed();
    pulse.close();
    logOut(error);
  };
  giveUp = () => wrong("");
  const ask = () => {
    const asking = ++asked;
    const whoami = () => pulse.whoami().catch((error: Error) => {
      // What cannot be told now will be told, if not by this connection then by the next.
      if (asking === asked && !forGood(error)) login.value = { state: "checking", note: error.message };
      throw error;
    });
    untilDone(whoami, () => asking === asked && pulse.state === "connected").then((who) => {
      if (asking !== asked) return;
      heed();
      sessionStorage.setItem(TOKEN, token);
      login.value = { state: "in", session: new Session(pulse, who, settings) };
    }, (error: Error) => {
      if (asking === asked && forGood(error)) wrong(error.message);
    });
  };
  const heed = pulse.onState((state, reason) => {
    if (state === "closed") wrong(t("login.wrong", { why: reason }));
    else if (state === "waiting") login.value = { state: "checking", note: t("login.unreachable", { gateway, origin: location.origin }) };
    else if (state === "connected") ask();
  });
}

export function logOut(error = ""): void {
  const before = login.peek();
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(PHONE);
  sessionStorage.removeItem(PHONE_SERVER);
  if (before.state === "out") return;
  forget();
  toasts.value = [];
  login.value = { state: "out", error };
  if (before.state === "in") before.session.close();
}
