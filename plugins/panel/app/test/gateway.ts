/** A connection without a network. */

import { vi } from "vitest";

export interface Asked {
  id: string;
  action: string;
  query?: string;
  [field: string]: unknown;
}

/** A gateway's end of a connection: what it was asked, and what it says. */
export class Gateway {
  static all: Gateway[] = [];
  asked: Asked[] = [];
  onopen = () => {};
  onmessage = (_: { data: string }) => {};
  onclose = (_: { code: number; reason: string }) => {};
  onerror = () => {};

  constructor() {
    Gateway.all.push(this);
  }

  send(text: string) {
    this.asked.push(JSON.parse(text));
  }

  close() {}

  say(message: object) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  of(what: string): Asked[] {
    return this.asked.filter(({ action, query }) => (query ?? action) === what);
  }

  /** Answers the last question of this kind. */
  async answer(what: string, result: object) {
    const asked = this.of(what).at(-1);
    this.say({ id: asked?.id, ok: true, result });
    await vi.advanceTimersByTimeAsync(0);
  }

  async refuse(what: string, code: string) {
    this.say({ id: this.of(what).at(-1)?.id, ok: false, error: { code, message: "because" } });
    await vi.advanceTimersByTimeAsync(0);
  }
}
