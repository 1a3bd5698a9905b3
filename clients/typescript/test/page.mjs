// Run by the end-to-end test `browser`, in a page: the same client, with the browser's own WebSocket. What it is
// told goes to the page's server, a line each.
import { TelePulse } from "./client.js";

const asked = new URLSearchParams(location.search);
let last = Promise.resolve();
const tell = (line) => {
  last = last.then(() => fetch("/told", { method: "POST", body: JSON.stringify(line) }));
};
try {
  const options = { url: asked.get("gateway"), token: asked.get("secret"), backoff: { first: 50, most: 500 } };
  const pulse = new TelePulse(options);
  pulse.onState((state, reason) => {
    tell({ state, reason });
    if (state !== "connected") return;
    pulse.query("servers").then((result) => tell({ result }), (refused) => tell({ refused: refused.message }));
  });
  pulse.subscribe({ events: ["paint"] }, {
    snapshot: (snapshot, seq) => tell({ snapshot: Object.keys(snapshot).sort(), seq }),
    event: (event) => tell({ seq: event.seq, colour: event.colour, fill: event.fill?.length }),
  });
} catch (error) {
  tell({ error: String(error) });
}
