/** One extension. Drawn anew only when it changes. */

import { memo } from "../app/memo";
import { dragged, open, opened, taking } from "../app/choice";
import { tileOf, type Tile } from "../core/tile";
import { t } from "../i18n";
import { at as timeOfDay, Foreign, Since, useSession } from "./common";
import { Icon } from "./Icon";

interface Props {
  id: string;
  at: number;
  count: number;
  /** Whether Tab stops here. */
  stop: boolean;
  onFocus: () => void;
}

export const TileView = memo(
  function TileView({ id, at, count, stop, onFocus }: Props) {
    const { store, lost } = useSession();
    store.tile(id).value;
    const extension = store.world.extensions.get(id);
    if (!extension) return null;
    const tile = tileOf(store.world, extension, lost.value);
    return (
      <li aria-setsize={count} aria-posinset={at + 1}>
        <button
          type="button" class="tile" data-key={id} data-at={at} data-mood={tile.mood} data-agent={tile.agent}
          {...(tile.line && { "data-line": tile.line.state })} {...(tile.words && { "data-words": "" })}
          {...(tile.stale !== undefined && { "data-stale": "" })}
          tabIndex={stop ? 0 : -1} aria-label={label(tile)} aria-describedby="grid-hint"
          aria-expanded={opened.value === id} onClick={() => open(id)} onFocus={onFocus} {...dragging(id, tile.line?.channel)}
        >
          <Face tile={tile} />
        </button>
      </li>
    );
  },
  (one, other) => one.id === other.id && one.at === other.at && one.count === other.count && one.stop === other.stop,
);

/** What a mouse can do with a tile: take it to another one. */
function dragging(id: string, channel: string | undefined) {
  return {
    draggable: true,
    onDragStart: (event: DragEvent) => {
      dragged.value = { kind: "extension", key: id, channel };
      event.dataTransfer?.setData("text/plain", id);
    },
    onDragEnd: () => {
      dragged.value = undefined;
    },
    ...taking(id),
  };
}

function Face({ tile }: { tile: Tile }) {
  const { line, mood } = tile;
  return (
    <>
      <span class="mark"><Icon name={mood} size={18} /></span>
      <span class="top">
        <span class="title"><Foreign text={tile.title} /></span>
        {tile.named && <span class="number">{tile.agent}</span>}
      </span>
      <span class="middle">
        {line ? <><Icon name={line.direction} size={12} /><Foreign text={line.name || line.number || t("tile.withheld")} /></> : <Foreign text={tile.words} />}
      </span>
      <span class="bottom">
        <span class="state">{t(`mood.${mood}`)}</span>
        {line && tile.stale === undefined && <Since time={Date.parse(line.since)} />}
        <Badges tile={tile} />
        {tile.stale !== undefined && <span class="old">{t("tile.asOf", { time: timeOfDay(tile.stale) })}</span>}
      </span>
    </>
  );
}

function Badges({ tile }: { tile: Tile }) {
  return (
    <span class="badges">
      {tile.recording !== "off" && (
        <span class="badge" data-badge={tile.recording === "on" ? "recording" : "recordingPaused"}><Icon name="record" size={12} filled={tile.recording === "on"} /></span>
      )}
      {tile.muted && <span class="badge"><Icon name="muted" size={13} /></span>}
      {tile.spied && <span class="badge"><Icon name="ear" size={13} /></span>}
      {tile.more > 0 && <span class="badge">+{tile.more}</span>}
    </span>
  );
}

/** All that a tile shows, in words; how long is asked for by opening it. */
function label(tile: Tile): string {
  const { line } = tile;
  const parts = [
    tile.title,
    tile.named ? tile.agent : "",
    t(`mood.${tile.mood}`),
    line ? `${t(`tile.${line.direction}`)} ${line.name} ${line.number || t("tile.withheld")}` : tile.words,
    tile.recording === "on" ? t("tile.recording") : tile.recording === "paused" ? t("tile.recordingPaused") : "",
    tile.muted ? t("tile.muted") : "",
    tile.spied ? t("tile.spied") : "",
    tile.more > 0 ? t("tile.more", { count: tile.more }) : "",
    tile.stale === undefined ? "" : t("tile.asOf", { time: timeOfDay(tile.stale) }),
  ];
  return parts.filter((part) => part.trim() !== "").join(", ");
}
