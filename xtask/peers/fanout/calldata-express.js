// The same cache on Express and Redis, as one would write it: `node calldata-express.js REDIS_PORT`.
'use strict';

const express = require('express');
const { createClient } = require('redis');

const TTL = 300;
const POOL = Array.from({ length: 1000 }, (_, number) => String(5550000 + number));
const BASIC = 'Basic ' + Buffer.from('bench:bench').toString('base64');

async function main() {
  const redis = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  await redis.connect();
  const key = (dnis, ani) => `express:calldata:${dnis}:${ani}`;
  const app = express();
  app.use((request, response, next) => {
    if (request.headers.authorization === BASIC) return next();
    response.set('WWW-Authenticate', 'Basic').status(401).end();
  });
  app.use(express.json());

  app.post('/cticache/DNIS-ANI', async (request, response) => {
    const { ani, value } = request.body;
    if (typeof ani !== 'string' || value === undefined) return response.status(400).end();
    const stored = JSON.stringify({ pool: 'DNIS-ANI', value });
    const turn = await redis.incr('express:drawn/DNIS-ANI');
    for (let step = 0; step < POOL.length; step++) {
      const dnis = POOL[(turn - 1 + step) % POOL.length];
      if (await redis.set(key(dnis, ani), stored, { NX: true, EX: TTL })) {
        return response.status(201).location(`/cticache/DNIS-ANI/${dnis}:${ani}`).json({ dnis, ani, value });
      }
    }
    response.set('Retry-After', '5').status(503).end();
  });

  const place = (request) => request.params.place.split(':');
  const given = (response, found) =>
    found === null ? response.status(404).end() : response.json({ value: JSON.parse(found).value });
  app.get('/cticache/DNIS-ANI/:place', async (request, response) => {
    given(response, await redis.get(key(...place(request))));
  });
  app.delete('/cticache/DNIS-ANI/:place', async (request, response) => {
    given(response, await redis.getDel(key(...place(request))));
  });

  const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
  process.stdin.on('end', () => process.exit()).resume();
}

main();
