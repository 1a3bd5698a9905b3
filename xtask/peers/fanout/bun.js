// Bun: its WebSocket server is uWebSockets; a topic that all subscribe to, as its documentation shows.
'use strict';

const { obey } = require('./orders.js');

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('', { status: 426 })),
  websocket: {
    open: (socket) => socket.subscribe('bench'),
    message: () => {},
    idleTimeout: 960,
  },
});
obey(server.port, (event) => server.publish('bench', event));
