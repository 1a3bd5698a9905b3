// The same gateway on node: AMI by asterisk-manager, clients by ws, a set of them for each agent.
'use strict';

const manager = require('asterisk-manager');
const { WebSocketServer } = require('ws');
const { agentsOf } = require('./gateway.js');

const topics = new Map();
const listeners = (topic) => {
  if (!topics.has(topic)) topics.set(topic, new Set());
  return topics.get(topic);
};
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`ready ${server.address().port} ${process.pid}`);
});
server.on('connection', (socket) => {
  socket.on('message', (message) => {
    const { agents } = JSON.parse(message);
    (agents ?? ['all']).forEach((topic) => listeners(topic).add(socket));
    socket.send('{"ok":true}');
  });
});
const ami = manager(Number(process.argv.at(-1)), '127.0.0.1', 'u', 's', true);
ami.on('managerevent', (event) => {
  const text = JSON.stringify(event);
  for (const agent of agentsOf(event)) topics.get(agent)?.forEach((socket) => socket.send(text));
  topics.get('all')?.forEach((socket) => socket.send(text));
});
