// The orders that a measured server takes on its standard input, and the events that it sends.
'use strict';

const readline = require('readline');

let next = 1;

const mark = (number) => {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  return `bench-${String(number).padStart(10, '0')}-${micros}`;
};

// Some 300 bytes.
const event = (number) => JSON.stringify({
  event: 'channelState',
  server: 'bench',
  seq: number,
  time: '2026-11-21T12:00:00.000Z',
  agent: String(number % 1000).padStart(4, '0'),
  channel: 'PJSIP/201-0000abcd',
  call: mark(number),
  state: 'up',
  number: '38511234567',
  name: 'Ana Horvat',
  causeText: 'Normal call clearing, as far as anybody knows at this moment',
});

// `publish` gets each event, `flush` is called when no other follows at once.
exports.obey = (port, publish, flush = () => {}) => {
  const send = () => publish(event(next++));
  const paced = (rate, count) => {
    const began = performance.now();
    let sent = 0;
    const turn = () => {
      const due = Math.min(count, Math.floor(((performance.now() - began) * rate) / 1000) + 1);
      for (; sent < due; sent += 1) {
        send();
        flush();
      }
      if (sent < count) setTimeout(turn, Math.max(0, (sent * 1000) / rate - (performance.now() - began)));
    };
    turn();
  };
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const [order, ...numbers] = line.split(' ');
    const [first, second] = numbers.map(Number);
    if (order === 'burst') {
      for (let left = first; left > 0; left -= 1) send();
      flush();
    } else if (order === 'paced') {
      paced(first, second);
    }
  }).on('close', () => process.exit(0));
  console.log(`ready ${port} ${process.pid}`);
};
