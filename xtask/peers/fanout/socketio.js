// node and socket.io, as its documentation shows how to broadcast.
'use strict';

const { createServer } = require('http');
const { Server } = require('socket.io');
const { obey } = require('./orders.js');

const http = createServer();
const io = new Server(http, { transports: ['websocket'], pingInterval: 600000 });
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  obey(http.address().port, (event) => io.emit('event', event));
});
