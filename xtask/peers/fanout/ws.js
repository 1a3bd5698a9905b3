// node and ws, as its documentation shows how to broadcast.
'use strict';

const { WebSocketServer, WebSocket } = require('ws');
const { obey } = require('./orders.js');

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  obey(server.address().port, (event) => {
    server.clients.forEach((client) => {
      if (client.readyState === WebSocket.OPEN) client.send(event);
    });
  });
});
