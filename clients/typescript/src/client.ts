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
  /** It goes on where it was, after a connection was lost: what was missed follows. */
  resumed?: () => void;
  /** It is told nothing, and will not be: what it wants was refused for good, as without the right to it. */
  refused?: (error: Refused) => void;
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
  /** Which of its snapshots is on its way; undefined while none is. */
  asking: number | undefined;
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
/** Refusals of what will be refused the next time, too. */
const FOR_GOOD = new Set<Refusal["code"]>(["badRequest", "unauthorized", "forbidden", "notFound", "refusedByPolicy"]);
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
  /** Whether the answer to that is on its way. */
  #feeding = false;
  /** Failures in a row to subscribe, or to get a snapshot. */
  #failures = 0;
  #mend: ReturnType<typeof setTimeout> | undefined;
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
    const listening: Listening = { filter, listener, told: undefined, parts: new Map(), held: [], asking: undefined };
    this.#listening.add(listening);
    if (this.#state === "connected") this.#feed();
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
      this.#feed();
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
   * everything comes once and in order. Then those begin that have not yet.
   */
  #feed(): void {
    // One at a time: the answer looks again at what is wanted.
    if (this.#feeding || this.#listening.size === 0) return;
    const filter = together([...this.#listening].map((listening) => listening.filter));
    const wanted = JSON.stringify(filter);
    if (wanted === this.#subscribed) {
      const fresh = [...this.#listening].filter(({ told, asking }) => told === undefined && asking === undefined);
      return fresh.forEach((one) => this.#begin(one));
    }
    const again = this.#subscribed === undefined;
    const socket = this.#socket;
    this.#feeding = true;
    const since = this.#position;
    const request = { action: "subscribe", filter, ...(since && { since }) };
    this.#request(request, "feed").then(
      (result) => {
        if (socket !== this.#socket) return;
        const { seq, epoch, resync } = result as { seq: number; epoch: string; resync?: boolean };
        this.#feeding = false;
        this.#failures = 0;
        this.#subscribed = wanted;
        if (!since || resync) this.#position = { epoch, seq };
        for (const listening of this.#listening) {
          if (resync) anew(listening);
          else if (again && listening.told !== undefined) listening.listener.resumed?.();
        }
        this.#feed();
      },
      (error: unknown) => {
        // Those who are told something go on with what was subscribed before.
        const waiting = [...this.#listening].filter(({ told }) => again || told === undefined);
        this.#failed("subscribe", socket, error, waiting);
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
    anew(listening);
    const socket = this.#socket;
    const asking = (listening.asking = ++this.#counter);
    this.#request({ action: "query", query: "snapshot", filter }).then(
      (result) => {
        if (listening.asking !== asking || !this.#listening.has(listening)) return;
        const { seq, items, parts } = result as { seq: number; items: Snapshot[]; parts?: [string, number][] };
        listening.asking = undefined;
        this.#failures = 0;
        listening.told = seq;
        listening.parts = new Map(parts ?? []);
        listener.snapshot?.(items[0] as Snapshot, seq);
        listening.held.splice(0).forEach((event) => tell(listening, event));
      },
      (error: unknown) => {
        if (listening.asking !== asking || !this.#listening.has(listening)) return;
        anew(listening);
        this.#failed("snapshot", socket, error, [listening]);
      },
    );
  }

  /** No listener is left without events: what failed is tried again, unless it would always be refused. */
  #failed(what: "subscribe" | "snapshot", socket: WebSocket | undefined, error: unknown, whose: Listening[]): void {
    // A lost connection subscribes, and begins, again by itself.
    if (socket !== this.#socket || this.#state !== "connected") return;
    if (what === "subscribe") this.#feeding = false;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof Refused && FOR_GOOD.has(error.code)) {
      console.error(`${what}: ${reason}`);
      return whose.forEach(({ listener }) => listener.refused?.(error));
    }
    const { first, most } = this.#backoff();
    const pause = Math.min(most, first * 2 ** this.#failures++);
    console.warn(`${what}: ${reason}; again in ${pause} ms`);
    clearTimeout(this.#mend);
    this.#mend = setTimeout(() => this.#feed(), pause);
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
      if (listening.told !== undefined) tell(listening, event);
      // What comes before a snapshot is asked for is in it.
      else if (listening.asking !== undefined) listening.held.push(event);
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
    clearTimeout(this.#mend);
    this.#subscribed = undefined;
    this.#feeding = false;
    this.#failures = 0;
    for (const listening of this.#listening) if (listening.asking !== undefined) anew(listening);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Refused({ code: "unknownOutcome", message: `sent, but ${reason}` }));
    }
    this.#waiting.clear();
  }

  /** Connects again: later each time, and not all clients at once. */
  #again(reason: string): void {
    if (this.#state === "closed") return;
    const { first, most } = this.#backoff();
    this.#pause = Math.min(most, this.#pause * 2 || first);
    this.#change("waiting", reason);
    this.#retry = setTimeout(() => void this.#connect(), this.#pause * (0.5 + Math.random() / 2));
  }

  #backoff(): { first: number; most: number } {
    return this.#options.backoff ?? { first: 250, most: 10_000 };
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

/** The listener knows nothing, until a snapshot comes. */
function anew(listening: Listening): void {
  listening.told = undefined;
  listening.held = [];
  listening.asking = undefined;
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
