/** A queue in figures, as the list of queues and the wallboard both show it. */

import { longestSince, serviceLevel, staff, toneOf } from "../core/level";
import { staleSince } from "../core/tile";
import type { QueueState } from "../core/world";
import { t } from "../i18n";
import { Figure, Percent, Since, useSession } from "./common";

/** Since when a queue's server has been out of reach. */
export function useStale(queue: QueueState): number | undefined {
  const { store, lost } = useSession();
  return staleSince(store.world.servers.get(queue.server), lost.value);
}

export function QueueFigures({ queue, withPaused = false }: { queue: QueueState; withPaused?: boolean }) {
  const { settings } = useSession();
  const stale = useStale(queue);
  const people = staff(queue);
  const longest = longestSince(queue);
  const level = serviceLevel(queue.served);
  return (
    <dl class="figures">
      <Figure name={t("queue.waiting")} value={queue.callers.length} tone={queue.callers.length > 0 ? "fair" : undefined} />
      <Figure name={t("queue.longest")} value={longest === undefined ? t("board.none") : <Since time={longest} stale={stale} />} />
      <Figure name={t("queue.free")} value={people.free} />
      <Figure name={t("queue.busy")} value={people.busy} />
      {withPaused && <Figure name={t("queue.paused")} value={people.paused} />}
      <Figure name={t("queue.level")} value={<Percent value={level} />} tone={toneOf(level, settings.serviceLevelTarget)} />
    </dl>
  );
}
