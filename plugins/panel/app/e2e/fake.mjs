/** A gateway that speaks the language and knows a call centre of any size: for measuring, and for what is hard to bring about. */

import { readFileSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
const EPOCH = "fake";

/** Serves the built page as the component does, with the same policy; answers its port. */
export async function servePage(gatewayPort, settings = {}) {
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws://127.0.0.1:${gatewayPort}; require-trusted-types-for 'script'; trusted-types 'none'`;
  const told = { gatewayPort, title: "TelePulse", serviceLevelSeconds: 20, serviceLevelTarget: 80, groups: {}, ...settings };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://fake").pathname;
    if (path === "/panel.json") {
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(told));
    }
    const file = DIST + (path === "/" ? "/index.html" : path);
    if (!existsSync(file)) return response.writeHead(404).end();
    const type = TYPES[file.split(".").pop()] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-security-policy": policy }).end(readFileSync(file));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { server, port: server.address().port };
}

/** `who`: the user; `snapshot`: what there is; `refuse`: an error for an action, or undefined. */
export class FakeGateway {
  seq = 1;
  commands = [];
  clients = new Set();

  constructor({ who = { user: "fake", allow: ["*"] }, snapshot, refuse = () => undefined }) {
    Object.assign(this, { who, snapshot, refuse });
  }

  async listen(port = 0) {
    this.server = new WebSocketServer({ port, host: "127.0.0.1", handleProtocols: () => "telepulse.v1" });
    await new Promise((done) => this.server.once("listening", done));
    this.port = this.server.address().port;
    this.server.on("connection", (socket) => {
      this.clients.add(socket);
      socket.on("close", () => this.clients.delete(socket));
      socket.on("message", (text) => this.#answer(socket, JSON.parse(String(text))));
    });
    return this.port;
  }

  /** Tells all clients. */
  tell(event) {
    const text = JSON.stringify({ seq: ++this.seq, time: new Date().toISOString(), ...event });
    for (const socket of this.clients) socket.send(text);
  }

  /** Cuts all connections, and takes no more. */
  async close() {
    for (const socket of this.clients) socket.terminate();
    await new Promise((done) => this.server.close(done));
  }

  #answer(socket, { id, action, query, ...fields }) {
    const say = (reply) => socket.send(JSON.stringify({ id, ...reply }));
    const result = (what) => say({ ok: true, result: what });
    const { seq } = this;
    if (action === "whoami") return result(this.who);
    if (action === "ping") return result({});
    if (action === "subscribe") return result({ seq, epoch: EPOCH, ...(fields.since && { resync: false }) });
    if (action === "query") {
      return result({ seq, epoch: EPOCH, items: query === "snapshot" ? [this.snapshot] : (this.snapshot[query] ?? []) });
    }
    this.commands.push({ action, ...fields });
    const error = this.refuse(action);
    if (error === "silence") return socket.terminate();
    return error ? say({ ok: false, error }) : result({});
  }
}

/** A call centre of so many extensions on so many servers, some of them in a call. */
export function centre(count, servers = 2, now = Date.now()) {
  const all = { agents: [], calls: [], conferences: [], lines: [], parked: [], queues: [], servers: [], users: [] };
  const ago = (seconds) => new Date(now - seconds * 1000).toISOString();
  for (let at = 1; at <= servers; at += 1) {
    all.servers.push({ server: `pbx${at}`, state: "CONNECTED", since: ago(3600), asterisk: "22.10.0" });
  }
  for (let at = 0; at < count; at += 1) {
    const agent = String(10_000 + at);
    const server = `pbx${(at % servers) + 1}`;
    all.users.push({ agent, server, device: `PJSIP/${agent}`, name: `Agent ${agent}`, status: "online", extensionStatus: at % 3 ? "not_inuse" : "inuse" });
    if (at % 3 === 0) all.lines.push({ agent, server, lines: [line(agent, ago(at % 600))] });
  }
  return all;
}

export function line(agent, since, state = "up") {
  return {
    call: `call-${agent}`, channel: `PJSIP/${agent}-1`, direction: "in", number: `+34 91 ${agent}`, name: `Caller ${agent}`, state, since,
    recording: false, recordingPaused: false, muted: false,
  };
}
