/** What is looked at, and what is being dragged onto what. */

import { batch, signal } from "@preact/signals";
import type { Group } from "../core/find";
import type { Bucket } from "../core/tile";

/** The extension whose sheet is open. */
export const opened = signal<string | undefined>(undefined);

/** Where the keyboard goes back to when the sheet closes: to what it was opened from, or that tile. */
let before: HTMLElement | null = null;
export const back = signal<string | undefined>(undefined);

export function open(key: string): void {
  before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  opened.value = key;
}

export function close(): void {
  back.value = opened.value;
  opened.value = undefined;
  before?.focus();
  before = null;
}

/** Something, with the line that it showed, that can be dropped on an extension. */
export type Dragged =
  | { kind: "extension"; key: string; channel: string | undefined }
  | { kind: "caller"; server: string; call: string; name: string };

export const dragged = signal<Dragged | undefined>(undefined);
/** What was dropped, while it is asked what is meant. */
export const dropped = signal<{ from: Dragged; onto: string } | undefined>(undefined);

/** What is searched for: it stays from view to view. */
export const text = signal("");
export const group = signal<Group | undefined>(undefined);
export const bucket = signal<Bucket | undefined>(undefined);

/** Nothing of it is the next user's. */
export function forget(): void {
  batch(() => {
    for (const choice of [opened, back, dragged, dropped, group, bucket]) choice.value = undefined;
    text.value = "";
  });
  before = null;
}

/** An extension takes what is dropped on it. */
export function taking(onto: string) {
  return {
    onDragEnter: (event: DragEvent) => (event.currentTarget as HTMLElement).setAttribute("data-over", ""),
    onDragLeave: (event: DragEvent) => (event.currentTarget as HTMLElement).removeAttribute("data-over"),
    onDragOver: (event: DragEvent) => {
      if (dragged.peek()) event.preventDefault();
    },
    onDrop: (event: DragEvent) => {
      (event.currentTarget as HTMLElement).removeAttribute("data-over");
      const from = dragged.peek();
      if (!from) return;
      event.preventDefault();
      dropped.value = { from, onto };
      dragged.value = undefined;
    },
  };
}
