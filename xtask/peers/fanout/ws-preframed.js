// node and ws, as fast as it goes: each event is framed once, a burst is one write a client.
'use strict';

const { WebSocketServer, Sender } = require('ws');
const { obey } = require('./orders.js');

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  let burst = [];
  obey(
    server.address().port,
    (event) => {
      const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };
      burst.push(...Sender.frame(Buffer.from(event), options));
    },
    () => {
      const bytes = Buffer.concat(burst);
      burst = [];
      server.clients.forEach((client) => client._socket.write(bytes));
    },
  );
});
