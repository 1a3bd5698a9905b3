// The same gateway on Bun: AMI by yana, a topic for each agent, and one for those who want all.
'use strict';

const AMI = require('yana');
const { agentsOf } = require('./gateway.js');

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('', { status: 426 })),
  websocket: {
    message: (socket, message) => {
      const { agents } = JSON.parse(message);
      (agents?.map((agent) => `agent:${agent}`) ?? ['all']).forEach((topic) => socket.subscribe(topic));
      socket.send('{"ok":true}');
    },
    idleTimeout: 960,
  },
});
const ami = new AMI({ host: '127.0.0.1', port: Number(process.argv.at(-1)), login: 'u', password: 's' });
ami.on('event', (event) => {
  const text = JSON.stringify(event);
  for (const agent of agentsOf(event)) server.publish(`agent:${agent}`, text);
  server.publish('all', text);
});
ami.connect();
console.log(`ready ${server.port} ${process.pid}`);
