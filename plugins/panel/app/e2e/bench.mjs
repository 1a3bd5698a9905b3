/** 5,000 tiles at 500 changes a second: when is something seen, and does it stay smooth? Prints JSON. */

import { withBrowser } from "./browser.mjs";
import { centre, FakeGateway, line, servePage } from "./fake.mjs";

const TILES = Number(process.env.TILES ?? 5000);
const CHANGES = Number(process.env.CHANGES ?? 500);
const SECONDS = Number(process.env.SECONDS ?? 10);
/** Events come in bursts, as a busy server's do. */
const BURSTS = 50;

const gateway = new FakeGateway({ snapshot: centre(TILES) });
const gatewayPort = await gateway.listen();
const { server, port } = await servePage(gatewayPort);

let changed = 0;
function change() {
  const at = (changed * 7919) % TILES;
  const agent = String(10_000 + at);
  const event = { server: `pbx${(at % 2) + 1}`, agent };
  const lines = changed % 2 ? [line(agent, new Date().toISOString(), changed % 4 === 1 ? "ringing" : "up")] : [];
  gateway.tell({ event: "activeLines", ...event, lines });
  changed += 1;
}

/** In the page: frames for so long, and what held them up. */
function watch(seconds) {
  return new Promise((done) => {
    const gaps = [];
    const long = [];
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => Math.round(entry.duration))));
    observer.observe({ type: "longtask" });
    const begun = performance.now();
    let last = begun;
    const frame = (time) => {
      gaps.push(time - last);
      last = time;
      if (time - begun < seconds * 1000) return requestAnimationFrame(frame);
      observer.disconnect();
      gaps.shift();
      gaps.sort((one, other) => one - other);
      const percentile = (part) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] * 10) / 10;
      done({
        framesPerSecond: Math.round((gaps.length / (last - begun)) * 10_000) / 10, gapP50: percentile(0.5), gapP99: percentile(0.99),
        gapMost: percentile(1), framesOver50ms: gaps.filter((gap) => gap > 50).length, longTasks: long.length, longestTask: Math.max(0, ...long),
      });
    };
    requestAnimationFrame(frame);
  });
}

async function measure(context) {
  const page = await context.newPage();
  await page.addInitScript(() => sessionStorage.setItem("telepulse.token", "t"));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForSelector(".tile");
  const seen = await page.evaluate(() => ({
    firstPaint: Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1),
    tilesSeen: Math.round(performance.now()),
    tilesInPage: document.querySelectorAll(".tile").length,
  }));
  const idle = await page.evaluate(watch, 2);
  const timer = setInterval(() => {
    for (let at = 0; at < CHANGES / BURSTS; at += 1) change();
  }, 1000 / BURSTS);
  const before = changed;
  const begun = Date.now();
  const live = await page.evaluate(watch, SECONDS);
  const rate = Math.round(((changed - before) / (Date.now() - begun)) * 1000);
  const scrolling = page.evaluate(watch, 4);
  await page.locator(".grid").hover();
  for (let at = 0; at < 60; at += 1) {
    await page.mouse.wheel(0, 400);
    await page.waitForTimeout(50);
  }
  const scrolled = await scrolling;
  clearInterval(timer);
  const right = await page.evaluate(() => [...document.querySelectorAll(".tile")].length);
  return { tiles: TILES, changesPerSecond: rate, ...seen, idle, live, scrolled, tilesInPageAfter: right };
}

const told = await withBrowser(measure);
console.log(JSON.stringify(told, null, 1));
await gateway.close();
server.close();
server.closeAllConnections();
