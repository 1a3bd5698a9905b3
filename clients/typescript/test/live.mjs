// Run by the end-to-end test `typescript`: two subscriptions on one client; each event that one of them is
// told goes to standard output, as does every change of the connection.
import { WebSocket } from "ws";
import { TelePulse } from "../dist/client.js";

const [url, token] = process.argv.slice(2);
const tell = (line) => console.log(JSON.stringify(line));
const pulse = new TelePulse({ url, token, WebSocket, backoff: { first: 50, most: 500 } });
pulse.onState((state, reason) => tell({ state, reason }));
pulse.subscribe({ events: ["paint"], agents: ["201"] }, {
  event: (event) => tell({ of: "201", seq: event.seq, colour: event.colour }),
});
pulse.subscribe({ events: ["paint"] }, {
  snapshot: (snapshot, seq) => tell({ snapshot: Object.keys(snapshot).sort(), seq }),
  event: (event) => tell({ of: "all", seq: event.seq, colour: event.colour }),
});
process.stdin.setEncoding("utf8");
for await (const text of process.stdin) {
  for (const line of text.split("\n").filter(Boolean)) {
    if (line === "end") {
      pulse.close();
      process.exit(0);
    }
    const request = JSON.parse(line);
    const answer = request.query ? pulse.query(request.query) : pulse.command(request);
    answer.then((result) => tell({ result }), (error) => tell({ code: error.code, message: error.message }));
  }
}
