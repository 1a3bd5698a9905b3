// npm: yana.
'use strict';

const AMI = require('yana');
const meter = require('./meter');

const ami = new AMI({ host: '127.0.0.1', port: Number(process.argv[2]), login: 'u', password: 's' });
ami.on('event', (event) => meter.event(event.event || event.Event));
ami.connect();
