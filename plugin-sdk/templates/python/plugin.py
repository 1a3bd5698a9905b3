"""A screen pop: when an agent gets a call, tells which page of the CRM to show.

It listens to `phoneNumber` and publishes an event of its own, `screenPop`, that every client of the
agent sees: {"event":"screenPop","agent":"201","number":"+49…","link":"https://…", …}.
"""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.lifecycle import StartInfo
from wit_world.imports import bus, config, log
from wit_world.imports.types import Event, Failure_Skip

# [settings] link: the page for a number, which takes the place of {number}.
link = ""


class Lifecycle(exports.Lifecycle):
    def init(self, info: StartInfo) -> None:
        """What is raised as Err keeps the plugin from running, and the operator sees it."""
        global link
        setting = config.get("link")
        if setting is None:
            raise Err(f"set link under [settings] in {info.plugin}.toml")
        link = json.loads(setting)
        log.write(log.Level.INFO, f"{info.plugin} pops up {link}", [])

    def drain(self, deadline_ms: int) -> None:
        pass


class Subscriber(exports.Subscriber):
    def handle(self, batch: list[Event]) -> int:
        """Answers how many events were done; Err says how many before, and what about this one."""
        for done, event in enumerate(batch):
            try:
                pop(json.loads(event.payload))
            except (ValueError, KeyError) as error:
                raise Err((done, Failure_Skip(str(error))))
        return len(batch)


def pop(call: dict) -> None:
    number = call.get("number")
    # Absent or null when the agent has no call any more.
    if not number:
        return
    # Anything but digits could change what the link means.
    page = link.replace("{number}", re.sub("[^0-9]", "", number))
    details = {"server": call["server"], "agent": call["agent"], "number": number, "link": page}
    bus.publish("telepulse.event.screenPop", json.dumps(details).encode())
