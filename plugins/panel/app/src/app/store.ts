/** The world on the page: events are folded in as they come, views are told once a frame of what changed. */

import { batch, signal, type Signal } from "@preact/signals";
import type { Event, OtherEvent, Snapshot } from "@telepulse/client";
import { apply, nothing, type Touched } from "../core/apply";
import { ordered } from "../core/find";
import { dropPopup, emptyWorld, fromSnapshot, useOwn, type Extension, type World } from "../core/world";
import { heard, hostTime } from "./clock";

/** How often what is counted over everybody is counted anew, at most, in milliseconds. */
const COUNT_EVERY = 250;

/** Grows with each change of something; who reads it is drawn anew. */
type Version = Signal<number>;

const bump = (version: Version) => {
  version.value = version.peek() + 1;
};

export class Store {
  world: World = emptyWorld(hostTime());
  /** Everybody in order; another array when somebody came or went. */
  readonly everybody = signal<Extension[]>([]);
  readonly queues: Version = signal(0);
  readonly servers: Version = signal(0);
  readonly rooms: Version = signal(0);
  readonly popups: Version = signal(0);
  /** What is counted over everybody: not as often as single tiles. */
  readonly counts: Version = signal(0);
  readonly loaded = signal(false);
  #tiles = new Map<string, Version>();
  #touched: Touched = nothing();
  #frame = 0;
  #counting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly target: () => number,
    /** What is not drawn but told, or asked for. */
    private readonly aside: (touched: Touched) => void,
  ) {}

  /** The version of one tile. Read while rendering, it draws that tile anew when it changes. */
  tile(key: string): Version {
    let version = this.#tiles.get(key);
    if (!version) this.#tiles.set(key, (version = signal(0)));
    return version;
  }

  snapshot(snapshot: Snapshot): void {
    this.world = fromSnapshot(snapshot, this.world, hostTime());
    this.#touched = nothing();
    this.refresh();
  }

  event(event: Event | OtherEvent): void {
    heard(Date.parse(event.time));
    apply(this.world, event, this.target(), this.#touched);
    // A hidden page has no frames; it need not be drawn then, either.
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Draws everything anew. */
  refresh(): void {
    batch(() => {
      this.everybody.value = ordered(this.world);
      for (const version of this.#tiles.values()) bump(version);
      [this.queues, this.servers, this.rooms, this.popups, this.counts].forEach(bump);
      this.loaded.value = true;
    });
  }

  closePopup(key: string): void {
    dropPopup(this.world, key);
    bump(this.popups);
  }

  /** The user's phone, whose calls pop up. */
  own(phone: World["own"]): void {
    useOwn(this.world, phone);
    bump(this.popups);
  }

  /** Parked calls or conferences were asked for anew. */
  took(what: "parked" | "conferences", items: unknown[]): void {
    Object.assign(this.world, { [what]: items });
    bump(this.rooms);
  }

  #draw(): void {
    this.#frame = 0;
    const touched = this.#touched;
    this.#touched = nothing();
    batch(() => {
      if (touched.listed) this.everybody.value = ordered(this.world);
      for (const key of touched.extensions) {
        const version = this.#tiles.get(key);
        if (version) bump(version);
      }
      if (touched.queues.size > 0) bump(this.queues);
      if (touched.popups) bump(this.popups);
      // A server that is lost, or back, changes all of its tiles.
      if (touched.servers) this.refresh();
    });
    if (touched.extensions.size > 0 || touched.queues.size > 0) this.#count();
    this.aside(touched);
  }

  #count(): void {
    this.#counting ??= setTimeout(() => {
      this.#counting = undefined;
      bump(this.counts);
    }, COUNT_EVERY);
  }
}
