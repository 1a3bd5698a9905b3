/** Many tiles, of which only those that are seen are there. */

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { part, step } from "../core/grid";
import { back, opened } from "../app/choice";
import { t } from "../i18n";
import { TileView } from "./TileView";

/** As in tiles.css: the least width of a tile, and its height, with the gap. */
const WIDTH = 228;
const HEIGHT = 96;

export function Grid({ keys }: { keys: string[] }) {
  const frame = useRef<HTMLDivElement>(null);
  const room = useSignal({ width: 0, height: 0, scrolled: 0 });
  const stop = useSignal(0);
  const seek = useRef<number | undefined>(undefined);
  const measured = useRef<() => void>();
  const count = useRef(keys.length);
  count.current = keys.length;
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height, scrollTop: scrolled } = element;
      const [old, next] = [room.peek(), { width, height, scrolled }];
      // Most of what is scrolled shows tiles that are there already.
      const [was, is] = [old, next].map((one) => part({ ...one, tileWidth: WIDTH, tileHeight: HEIGHT, count: count.current }));
      if (width !== old.width || height !== old.height || was?.first !== is?.first || was?.last !== is?.last) room.value = next;
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    measured.current = measure;
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  const shown = part({ ...room.value, tileWidth: WIDTH, tileHeight: HEIGHT, count: keys.length });
  // The tile whose sheet is open, or was, stays in sight when there is more or less room.
  const kept = opened.value ?? back.value;
  useEffect(() => {
    const at = kept === undefined ? -1 : keys.indexOf(kept);
    if (at < 0 || !frame.current) return;
    reveal(frame.current, Math.floor(at / shown.columns));
    const focused = document.activeElement;
    if (opened.peek() === undefined && (focused === document.body || frame.current.contains(focused))) {
      seek.current = at;
      stop.value = at;
      measured.current?.();
    }
  }, [kept, shown.columns]);
  // The keyboard has moved to a tile that may not have been there.
  useEffect(() => {
    if (seek.current === undefined) return;
    const tile = frame.current?.querySelector<HTMLElement>(`[data-at="${seek.current}"]`);
    if (!tile) return;
    seek.current = undefined;
    tile.focus({ preventScroll: true });
  });
  const page = Math.max(1, Math.floor(room.value.height / HEIGHT) - 1);
  const move = (event: KeyboardEvent) => {
    if (!(event.target instanceof HTMLElement) || event.target.dataset["at"] === undefined) return;
    const to = step(event.key, Number(event.target.dataset["at"]), shown.columns, page, keys.length);
    if (to === undefined || !frame.current) return;
    event.preventDefault();
    seek.current = to;
    back.value = undefined;
    stop.value = to;
    reveal(frame.current, Math.floor(to / shown.columns));
  };
  const first = stop.value >= shown.first && stop.value < shown.last ? stop.value : shown.first;
  return (
    <div class="grid" ref={frame} onKeyDown={move}>
      <p class="sr" id="grid-hint">{t("find.hint")}</p>
      <div class="space" style={{ height: `${shown.total}px` }}>
        <ul class="tiles" style={{ transform: `translateY(${shown.above}px)`, gridTemplateColumns: `repeat(${shown.columns}, minmax(0, 1fr))` }}>
          {keys.slice(shown.first, shown.last).map((key, at) => (
            <TileView
              key={key} id={key} at={shown.first + at} count={keys.length} stop={shown.first + at === first}
              onFocus={() => (stop.value = shown.first + at)}
            />
          ))}
        </ul>
      </div>
    </div>
  );
}

/** Scrolls as little as is needed to see a row. */
function reveal(frame: HTMLElement, row: number): void {
  const top = row * HEIGHT;
  const bottom = top + HEIGHT;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (bottom > frame.scrollTop + frame.clientHeight) frame.scrollTop = bottom - frame.clientHeight;
}
