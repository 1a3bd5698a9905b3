/** How the servers are. */

import type { ServerHealth, World } from "../core/world";
import { t } from "../i18n";
import { at, Figure, Foreign, Since, useSession } from "./common";
import { Icon } from "./Icon";

export function Servers() {
  const { store } = useSession();
  store.servers.value;
  store.counts.value;
  const servers = [...store.world.servers.values()].sort((one, other) => one.server.localeCompare(other.server));
  if (servers.length === 0) return <p class="empty">{t("server.none")}</p>;
  return <div class="scroll cards">{servers.map((server) => <ServerCard key={server.server} health={server} />)}</div>;
}

function ServerCard({ health }: { health: ServerHealth }) {
  const { store } = useSession();
  const { extensions, online, calls } = figures(store.world, health.server);
  const good = health.state === "CONNECTED";
  return (
    <section class="card server" aria-labelledby={`server-${health.server}`} data-server={health.server} data-state={health.state} {...(health.lost !== undefined && { "data-stale": "" })}>
      <header>
        <h2 id={`server-${health.server}`}><Foreign text={health.server} /></h2>
        <span class="pill" data-tone={good ? "good" : "poor"}><Icon name={good ? "free" : "offline"} size={14} />{t(`server.${health.state}`)}</span>
      </header>
      {health.reason && <p class="trouble"><Foreign text={health.reason} /></p>}
      <dl class="figures">
        <Figure name={t("server.extensions")} value={extensions} />
        <Figure name={t("server.online")} value={online} />
        <Figure name={t("server.calls")} value={calls} />
      </dl>
      <p class="hint">
        {health.asterisk && <>Asterisk {health.asterisk} · </>}{t("server.since", { time: at(health.since) })} (<Since time={health.since} />)
        {health.heard !== undefined && <> · {t("server.heard", { time: at(health.heard) })}</>}
        {health.resynced !== undefined && <> · {t("server.resynced", { time: at(health.resynced) })}</>}
      </p>
      {health.lost !== undefined && <p class="banner">{t("server.lost", { time: at(health.lost) })}</p>}
    </section>
  );
}

function figures(world: World, server: string) {
  const calls = new Set<string>();
  let extensions = 0;
  let online = 0;
  for (const extension of world.extensions.values()) {
    if (extension.server !== server) continue;
    extensions += 1;
    if (extension.status === "online") online += 1;
    for (const line of extension.lines) calls.add(line.call);
  }
  return { extensions, online, calls: calls.size };
}
