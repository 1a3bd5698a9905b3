// npm: asterisk-manager.
'use strict';

const AMI = require('asterisk-manager');
const meter = require('./meter');

const ami = new AMI(process.argv[2], '127.0.0.1', 'u', 's', true);
ami.on('managerevent', (event) => meter.event(event.event));
