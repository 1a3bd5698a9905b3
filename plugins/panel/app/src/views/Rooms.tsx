/** Parked calls, and conferences. */

import type { ConferenceParty, ConferenceRoom, ParkedCall } from "@telepulse/client";
import { useMemo } from "preact/hooks";
import { computed } from "@preact/signals";
import { now } from "../app/clock";
import { fetch, type Ready } from "../core/actions";
import { span } from "../core/format";
import { reach } from "../core/rights";
import { staleOf } from "../core/tile";
import { t } from "../i18n";
import { Act, at, Foreign, Since, useSession } from "./common";
import { Icon } from "./Icon";

export function Rooms() {
  const { store } = useSession();
  store.rooms.value;
  store.servers.value;
  const { parked, conferences } = store.world;
  return (
    <div class="scroll cards">
      <section class="card" aria-labelledby="parked-title">
        <h2 id="parked-title">{t("parked.title")}</h2>
        {parked.length === 0 && <p class="quiet">{t("parked.none")}</p>}
        <ul class="rows">{parked.map((call) => <Parked key={call.channel} call={call} />)}</ul>
      </section>
      <section class="card" aria-labelledby="conference-title">
        <h2 id="conference-title">{t("conference.title")}</h2>
        {conferences.length === 0 && <p class="quiet">{t("conference.none")}</p>}
        {conferences.map((room) => <Room key={`${room.server}/${room.conference}`} room={room} />)}
      </section>
    </div>
  );
}

function Old({ server }: { server: string }) {
  const { store, lost } = useSession();
  const stale = staleOf(store.world, server, lost.value);
  return stale === undefined ? null : <span class="old">{t("tile.asOf", { time: at(stale) })}</span>;
}

function Parked({ call }: { call: ParkedCall }) {
  const session = useSession();
  const stale = staleOf(session.store.world, call.server, session.lost.value);
  const take = fetch(session.actor.value, call);
  const name = call.name || call.number || t("tile.withheld");
  const left = useMemo(() => {
    const until = Date.parse(call.since) + call.timeout * 1000;
    return computed(() => t("parked.back", { time: span(until - (stale ?? now.value)) }));
  }, [call, stale]);
  return (
    <li data-space={call.space}>
      <span class="space-number" aria-label={`${t("parked.space")} ${call.space}`}>{call.space}</span>
      <span class="grow">
        <strong><Foreign text={name} /></strong>{" "}
        <span class="quiet">{call.by && <>{t("parked.by", { by: call.by })} · </>}{left} · {call.server}</span>
      </span>
      <Since time={Date.parse(call.since)} stale={stale} />
      <Old server={call.server} />
      {take && <Act ready={take} about={name} />}
    </li>
  );
}

function Room({ room }: { room: ConferenceRoom }) {
  const { who, store, lost } = useSession();
  const { conference, server } = room;
  const stale = staleOf(store.world, server, lost.value);
  const lock = room.locked ? "conferenceUnlock" : "conferenceLock";
  return (
    <section class="room" data-conference={conference}>
      <header>
        <h3><Foreign text={conference} /> {room.locked && <span class="badge"><Icon name="lock" size={14} />{t("conference.locked")}</span>}</h3>
        <span class="quiet">{t("conference.members", { count: room.members.length })} · <Since time={Date.parse(room.since)} stale={stale} /></span>
        <Old server={server} />
        {reach(who, lock) === "any" && <Act ready={{ id: lock, command: { action: lock, conference, server } }} about={conference} />}
      </header>
      <ul class="rows">{room.members.map((member) => <Party key={member.channel} room={room} member={member} stale={stale} />)}</ul>
    </section>
  );
}

function Party({ room: { conference, server }, member, stale }: { room: ConferenceRoom; member: ConferenceParty; stale: number | undefined }) {
  const { who } = useSession();
  const { channel } = member;
  const name = member.name || member.number || member.agent || channel;
  const mute = member.muted ? "conferenceUnmute" : "conferenceMute";
  const ready: Ready[] = [
    { id: mute, command: { action: mute, conference, channel, server } },
    { id: "conferenceKick", command: { action: "conferenceKick", conference, channel, server } },
  ];
  return (
    <li>
      {/* What comes and goes must not move the buttons away under a pointer. */}
      <span class="grow">
        <strong><Foreign text={name} /></strong>{" "}
        <span class="quiet">
          <Foreign text={member.number} />
          {member.muted && <> · <span class="badge"><Icon name="muted" size={14} />{t("tile.muted")}</span></>}
          {member.talking && <> · {t("conference.talking")}</>}
        </span>
      </span>
      <Since time={Date.parse(member.since)} stale={stale} />
      {ready.filter(({ id }) => reach(who, id) === "any").map((one) => <Act key={one.id} ready={one} about={name} />)}
    </li>
  );
}
