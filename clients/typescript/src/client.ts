/**
 * A client of the TelePulse WebSocket gateway, for browsers and Node.js, without dependencies.
 *
 * ```ts
 * const pulse = new TelePulse({ url: "wss://pbx.example:8084/", token });
 * pulse.subscribe({ agents: ["201"] }, {
 *   snapshot: (state) => draw(state),
 *   event: (event) => change(event),
 * });
 * await pulse.command({ action: "dial", from: "201", to: "202" });
 * ```
 *
 * When the connection is lost it comes back by itself, and subscriptions go on where they were: each
 * event is told once and in order. Where too much was missed they begin anew with a snapshot.
 */

import type { Command, Event, Filter, QueryKind, Refusal, Snapshot } from "../telepulse.js";

export type * from "../telepulse.js";

/** An event of a plugin's own. */
export interface OtherEvent {
  event: string;
  server: string;
  seq: number;
  time: string;
  agent?: string;
  queue?: string;
  [field: string]: unknown;
}

export interface Options {
  /** Where the gateway is: `ws://` or `wss://`. */
  url: string;
  /** The user's token; or where to get one, asked before each connection. */
  token: string | (() => string | Promise<string>);
  /** What makes WebSockets; the environment's own, unless it is given. */
  WebSocket?: typeof WebSocket;
  /** How long a command or query may take, in milliseconds. */
  timeout?: number;
  /** How long to wait before connecting again: at first, and at most, in milliseconds. */
  backoff?: { first: number; most: number };
}

/** Who is logged in. What they may see is left out where it is everything. */
export interface Who {
  user: string;
  /** The extension that is the user's own. */
  extension?: string;
  /** Commands that they may give: `*`, a command's name, or `name:own`. */
  allow: string[];
  agents?: string[];
  queues?: string[];
  servers?: string[];
}

/** Where the connection stands. `closed`: for good, by `close` or because the token is wrong. */
export type State = "connecting" | "connected" | "waiting" | "closed";

/** What a subscription is told. */
export interface Listener {
  /** What goes on now: at the beginning if it was asked for, and whenever too much was missed. */
  snapshot?: (snapshot: Snapshot, seq: number) => void;
  /** What happened: each event once, in order. */
  event?: (event: Event | OtherEvent) => void;
}

/** Why a request was not done. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.field ? `${refusal.field}: ${refusal.message}` : refusal.message);
    this.name = "Refused";
  }

  /** As a word that programs can match on. */
  get code(): Refusal["code"] {
    return this.refusal.code;
  }
}

/** Ends a subscription. */
export interface Subscription {
  close(): void;
}

interface Listening {
  filter: Filter;
  listener: Listener;
  /** It has been told what is up to here; undefined while its snapshot is on its way. */
  told: number | undefined;
  /** What its snapshot has of each server, which may be more. */
  parts: Map<string, number>;
  /** What came while its snapshot was on its way. */
  held: OtherEvent[];
}

interface Waiting {
  resolve: (result: Record<string, unknown>) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

type Message = Record<string, unknown>;

/** In these, `queue` is a detail, not what the event is about. */
const QUEUE_IS_DETAIL = new Set(["phoneNumber", "agentComplete"]);
/** How often a silent connection is tried, and how long the answer may take. */
const PING = { every: 20_000, within: 10_000 };
/** A subprotocol may hold these. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** Close code: the token is wrong, or its rights are gone. */
const NOT_LOGGED_IN = 4401;

export class TelePulse {
  #options: Options;
  #socket: WebSocket | undefined;
  #state: State = "connecting";
  #onState = new Set<(state: State, reason: string) => void>();
  #waiting = new Map<string, Waiting>();
  #listening = new Set<Listening>();
  /** What is subscribed to: all filters together, as one. */
  #subscribed: string | undefined;
  /** Up to here everything has come. */
  #position: { epoch: string; seq: number } | undefined;
  #counter = 0;
  #pause = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;

  constructor(options: Options) {
    this.#options = options;
    void this.#connect();
  }

  /** Where the connection stands. */
  get state(): State {
    return this.#state;
  }

  /** Tells how the connection fares from now on; answers how to end that. */
  onState(told: (state: State, reason: string) => void): () => void {
    this.#onState.add(told);
    return () => this.#onState.delete(told);
  }

  /**
   * Gives a command. Rejects with {@link Refused}: `serverUnavailable` if there is no connection (nothing
   * was sent), `unknownOutcome` if it was lost before the answer.
   */
  command(command: Command): Promise<Record<string, unknown>> {
    return this.#request({ ...command });
  }

  /** Asks what goes on. */
  async query(query: QueryKind, filter: Filter = {}): Promise<unknown[]> {
    const result = await this.#request({ action: "query", query, filter });
    return result["items"] as unknown[];
  }

  /** Who is logged in here, and what they may do and see. */
  async whoami(): Promise<Who> {
    return (await this.#request({ action: "whoami" })) as unknown as Who;
  }

  /** Listens to what a filter lets through, over all connections to come. */
  subscribe(filter: Filter, listener: Listener): Subscription {
    const listening: Listening = { filter, listener, told: undefined, parts: new Map(), held: [] };
    this.#listening.add(listening);
    if (this.#state === "connected") this.#feed([listening]);
    return { close: () => void this.#listening.delete(listening) };
  }

  /** Ends the connection for good. */
  close(): void {
    this.#end("closed", "closed");
    this.#socket?.close(1000);
  }

  async #connect(): Promise<void> {
    this.#change("connecting", "");
    const { url, token: source } = this.#options;
    let token: string;
    try {
      token = typeof source === "function" ? await source() : source;
    } catch (error) {
      return this.#again(`no token: ${error}`);
    }
    if (this.#state !== "connecting") return;
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    const fits = TOKEN.test(token);
    const socket = new Socket(url, fits ? ["telepulse.v1", `bearer.${token}`] : ["telepulse.v1"]);
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      if (!fits) socket.send(JSON.stringify({ action: "login", token }));
      this.#pause = 0;
      this.#change("connected", "");
      this.#feed([...this.#listening].filter((listening) => listening.told === undefined));
      this.#ping = setInterval(() => this.#tryIt(socket), PING.every);
    };
    socket.onmessage = (message) => {
      if (socket === this.#socket) this.#take(JSON.parse(String(message.data)) as Message);
    };
    socket.onclose = (closed) => {
      if (socket !== this.#socket) return;
      this.#lost(`${closed.reason || "the connection was lost"} (${closed.code})`);
      if (closed.code === NOT_LOGGED_IN && typeof source !== "function") {
        this.#end("closed", closed.reason);
      } else if (this.#state !== "closed") {
        this.#again(closed.reason);
      }
    };
    // What went wrong is told by the close that follows.
    socket.onerror = () => {};
  }

  /**
   * Sees to it that the gateway sends what any listener wants, from where we were: one subscription, so that
   * everything comes once and in order. Then the new ones begin.
   */
  #feed(fresh: Listening[]): void {
    const filter = together([...this.#listening].map((listening) => listening.filter));
    const wanted = JSON.stringify(filter);
    if (this.#listening.size === 0) return;
    if (wanted === this.#subscribed) return fresh.forEach((one) => this.#begin(one));
    this.#subscribed = wanted;
    const since = this.#position;
    const request = { action: "subscribe", filter, ...(since && { since }) };
    this.#request(request, "feed").then(
      (result) => {
        const { seq, epoch, resync } = result as { seq: number; epoch: string; resync?: boolean };
        if (!since || resync) this.#position = { epoch, seq };
        const anew = resync ? [...this.#listening] : fresh;
        anew.forEach((listening) => this.#begin(listening));
      },
      (error: unknown) => {
        // A lost connection subscribes again by itself.
        this.#subscribed = undefined;
        if (error instanceof Refused && error.code !== "unknownOutcome") console.error(`subscribe: ${error.message}`);
      },
    );
  }

  /** A listener begins, or begins anew: with a snapshot, if it wants one. */
  #begin(listening: Listening): void {
    const { filter, listener } = listening;
    if (!listener.snapshot) {
      listening.told = this.#position?.seq ?? 0;
      return;
    }
    listening.told = undefined;
    listening.held = [];
    this.#request({ action: "query", query: "snapshot", filter }).then(
      (result) => {
        const { seq, items, parts } = result as { seq: number; items: Snapshot[]; parts?: [string, number][] };
        listening.told = seq;
        listening.parts = new Map(parts ?? []);
        listener.snapshot?.(items[0] as Snapshot, seq);
        listening.held.splice(0).forEach((event) => tell(listening, event));
      },
      // A lost connection begins again by itself.
      (error: unknown) => {
        if (error instanceof Refused && error.code !== "unknownOutcome") console.error(`snapshot: ${error.message}`);
      },
    );
  }

  #take(message: Message): void {
    if ("ok" in message) return this.#answer(message);
    // A snapshot of the gateway's own follows.
    if (message["event"] === "lagged") return;
    const event = message as unknown as OtherEvent;
    const position = this.#position;
    if (!position || event.seq <= position.seq) return;
    position.seq = event.seq;
    if (event.event === "snapshot" && "subscription" in event) {
      // Too much was missed: everybody begins anew.
      this.#listening.forEach((listening) => this.#begin(listening));
      return;
    }
    for (const listening of this.#listening) {
      if (!lets(listening.filter, event)) continue;
      if (listening.told === undefined) listening.held.push(event);
      else tell(listening, event);
    }
  }

  #answer(reply: Message): void {
    const id = String(reply["id"]);
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (reply["ok"] === true) waiting.resolve(reply["result"] as Record<string, unknown>);
    else waiting.reject(new Refused(reply["error"] as Refusal));
  }

  #request(fields: Message, id = `r${++this.#counter}`): Promise<Record<string, unknown>> {
    const socket = this.#socket;
    if (this.#state !== "connected" || !socket) {
      const message = `not connected (${this.#state}); nothing was sent`;
      return Promise.reject(new Refused({ code: "serverUnavailable", message }));
    }
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#waiting.delete(id);
        reject(new Refused({ code: "timeout", message: "no answer in time" }));
      };
      const timer = setTimeout(late, this.#options.timeout ?? 20_000);
      this.#waiting.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ ...fields, id }));
    });
  }

  /** Whether the connection still carries anything. */
  #tryIt(socket: WebSocket): void {
    const late = setTimeout(() => {
      if (socket !== this.#socket) return;
      this.#lost("no answer to a ping");
      this.#socket = undefined;
      socket.close();
      this.#again("no answer to a ping");
    }, PING.within);
    const heard = () => clearTimeout(late);
    this.#request({ action: "ping" }).then(heard, heard);
  }

  /** What was on its way is lost with the connection. */
  #lost(reason: string): void {
    clearInterval(this.#ping);
    this.#subscribed = undefined;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Refused({ code: "unknownOutcome", message: `sent, but ${reason}` }));
    }
    this.#waiting.clear();
  }

  /** Connects again: later each time, and not all clients at once. */
  #again(reason: string): void {
    if (this.#state === "closed") return;
    const { first, most } = this.#options.backoff ?? { first: 250, most: 10_000 };
    this.#pause = Math.min(most, this.#pause * 2 || first);
    this.#change("waiting", reason);
    this.#retry = setTimeout(() => void this.#connect(), this.#pause * (0.5 + Math.random() / 2));
  }

  #end(state: State, reason: string): void {
    clearTimeout(this.#retry);
    this.#lost(reason);
    this.#change(state, reason);
  }

  #change(state: State, reason: string): void {
    if (state === this.#state && state !== "connecting") return;
    this.#state = state;
    for (const told of this.#onState) told(state, reason);
  }
}

/** Tells an event that is not in the listener's snapshot. */
function tell(listening: Listening, event: OtherEvent): void {
  const { told, parts, listener } = listening;
  if (told === undefined || event.seq <= told || event.seq <= (parts.get(event.server) ?? 0)) return;
  listening.told = event.seq;
  listener.event?.(event);
}

/** What lets through all that any of these does, and perhaps more. */
function together(filters: Filter[]): Filter {
  const all: Filter = {};
  for (const key of ["events", "servers", "agents", "queues"] as const) {
    const lists = filters.map((filter) => filter[key]);
    if (lists.some((list) => list === undefined)) continue;
    all[key] = [...new Set(lists.flatMap((list) => list ?? []))].sort();
  }
  return all;
}

/** The gateway's own rule: an event passes by each scope field that it has. */
function lets(filter: Filter, event: OtherEvent): boolean {
  const passes = (list: string[] | undefined, word: string | undefined) =>
    !list || word === undefined || list.includes(word);
  const queue = QUEUE_IS_DETAIL.has(event.event) ? undefined : event.queue;
  return (
    passes(filter.events, event.event) &&
    passes(filter.servers, event.server || undefined) &&
    passes(filter.agents, event.agent) &&
    passes(filter.queues, queue)
  );
}
