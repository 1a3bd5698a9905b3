/** For a big screen, to be read from across the room. */

import { overview, serviceLevel, toneOf } from "../core/level";
import type { QueueState } from "../core/world";
import { t } from "../i18n";
import { at, Figure, Foreign, Percent, Since, useSession } from "./common";
import { QueueFigures, useStale } from "./QueueFigures";

export function Wallboard() {
  const { store, settings, lost } = useSession();
  store.queues.value;
  store.servers.value;
  store.counts.value;
  const all = overview(store.world);
  const level = serviceLevel(all.served);
  const queues = [...store.world.queues.values()].sort((one, other) => other.callers.length - one.callers.length || one.key.localeCompare(other.key));
  return (
    <div class="scroll board">
      {all.without.length > 0 && <p class="banner" data-without>{t("board.without", { servers: all.without.join(", ") })}</p>}
      <dl class="figures big">
        <Figure name={t("queue.waiting")} value={all.waiting} tone={all.waiting > 0 ? "fair" : "good"} />
        <Figure name={t("queue.longest")} value={all.longest === undefined ? t("board.none") : <Since time={all.longest} stale={lost.value} />} />
        <Figure name={t("board.calls")} value={all.calls} />
        <Figure name={t("board.free")} value={all.free} />
        <Figure name={t("board.resting")} value={all.resting} />
        <Figure name={t("queue.level")} value={<Percent value={level} />} tone={toneOf(level, settings.serviceLevelTarget)} />
      </dl>
      <div class="boards">{queues.map((queue) => <Board key={queue.key} queue={queue} />)}</div>
      <p class="hint">
        {t("queue.levelHint", { seconds: settings.serviceLevelSeconds })} · {t("queue.since", { time: at(store.world.since) })}{" "}
        <button type="button" class="quiet" onClick={() => void document.documentElement.requestFullscreen()}>{t("board.full")}</button>
      </p>
    </div>
  );
}

function Board({ queue }: { queue: QueueState }) {
  const stale = useStale(queue);
  return (
    <section class="card board-queue" aria-label={queue.queue} {...(stale !== undefined && { "data-stale": "" })}>
      <h2><Foreign text={queue.queue} />{stale !== undefined && <span class="old">{t("tile.asOf", { time: at(stale) })}</span>}</h2>
      <QueueFigures queue={queue} />
    </section>
  );
}
