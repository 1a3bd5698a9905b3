// What every measured client does: it counts the events that reach its user, and tells one line.
'use strict';

const fs = require('fs');

const END = 'StreamEnd';
const PATIENCE_MS = 3000;

let events = 0;
let first = null;
let seen = 0;

function now() {
  const { user, system } = process.cpuUsage();
  return { wall: process.hrtime.bigint(), cpu: user + system };
}

function tell(last) {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const peakKib = Number(/VmHWM:\s+(\d+)/.exec(status)[1]);
  const lost = last ? 0 : PATIENCE_MS / 1000;
  const end = last || now();
  const seconds = first ? Number(end.wall - first.wall) / 1e9 - lost : 0;
  const cpuSeconds = first ? (end.cpu - first.cpu) / 1e6 : 0;
  console.log(`result ${JSON.stringify({ events, seconds, cpuSeconds, peakKib })}`);
  process.exit(0);
}

// An event of this name reached its user.
exports.event = function (name) {
  if (name === 'FullyBooted') return;
  if (name === END) return tell(now());
  if (!first) first = now();
  events += 1;
};

// Where the end was lost, somebody has to notice.
setInterval(() => {
  if (first && seen === events) tell(null);
  seen = events;
}, PATIENCE_MS);
