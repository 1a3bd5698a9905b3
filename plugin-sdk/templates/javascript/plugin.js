// A screen pop: when an agent gets a call, tells which page of the CRM to show.
//
// It listens to `phoneNumber` and publishes an event of its own, `screenPop`, that every client of
// the agent sees: {"event":"screenPop","agent":"201","number":"+49…","link":"https://…", …}.

import { write } from "telepulse:plugin/log@0.1.0";
import { get } from "telepulse:plugin/config@0.1.0";
import { publish } from "telepulse:plugin/bus@0.1.0";

// QuickJS is the language alone, without the browser's TextDecoder and TextEncoder.
const fromBytes = (bytes) =>
  JSON.parse(decodeURIComponent(escape(Array.from(bytes, (it) => String.fromCharCode(it)).join(""))));
const toBytes = (value) =>
  Uint8Array.from(unescape(encodeURIComponent(JSON.stringify(value))), (it) => it.charCodeAt(0));

/** `[settings] link`: the page for a number, which takes the place of `{number}`. */
let link;

export const lifecycle = {
  // What is thrown keeps the plugin from running, and the operator sees it.
  init(info) {
    const setting = get("link");
    if (setting === undefined) throw `set link under [settings] in ${info.plugin}.toml`;
    link = JSON.parse(setting);
    write("info", `${info.plugin} pops up ${link}`, []);
  },
  drain() {},
};

export const subscriber = {
  // Answers how many events were done. Throws [how many before, what to do about this one].
  handle(batch) {
    batch.forEach((event, done) => {
      try {
        pop(fromBytes(event.payload));
      } catch (error) {
        throw [done, { tag: "skip", val: String(error) }];
      }
    });
    return batch.length;
  },
};

function pop({ server, agent, number }) {
  // Absent or null when the agent has no call any more.
  if (!number) return;
  // Anything but digits could change what the link means.
  const page = link.replace("{number}", number.replace(/[^0-9]/g, ""));
  publish("telepulse.event.screenPop", toBytes({ server, agent, number, link: page }));
}
