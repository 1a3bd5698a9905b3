/** What is hard to bring about with a real one: a gateway of our own loses servers, answers, and itself. */

import assert from "node:assert/strict";
import { go, logIn } from "./browser.mjs";
import { centre, FakeGateway, line, servePage } from "./fake.mjs";
import { picture, violations } from "./views.mjs";

const EVIL = '<img src=x onerror="document.title=1">\u202Egnp';

async function open(context, options, work) {
  const gateway = new FakeGateway(options);
  const gatewayPort = await gateway.listen();
  const { server, port } = await servePage(gatewayPort, { groups: { Desk: ["10000", "10002-10003"] } });
  const page = await logIn(context, `http://127.0.0.1:${port}/`, "a-token");
  await page.waitForSelector(".tile");
  try {
    await work(page, gateway, gatewayPort);
  } finally {
    await page.close();
    if (gateway.server) await gateway.close();
    server.close();
    server.closeAllConnections();
  }
}

const tile = (page, agent) => page.locator(`.tile[data-agent="${agent}"]`);

async function aLostServerGreysItsOwn(context) {
  await open(context, { snapshot: centre(12) }, async (page, gateway) => {
    gateway.tell({ event: "serverStatus", server: "pbx1", state: "DISCONNECTED", reason: "connection reset" });
    await page.waitForSelector('.tile[data-agent="10000"][data-stale]');
    assert.equal(await page.locator(".tile[data-stale]").count(), 6, "only its own");
    assert.match(await tile(page, "10000").innerText(), /as of \d/);
    assert.deepEqual(await violations(page), []);
    await picture(page, "lost-server");
    await go(page, "servers");
    assert.match(await page.locator('[data-server="pbx1"]').innerText(), /Out of reach[\s\S]*connection reset/);
    await go(page, "wallboard");
    assert.match(await page.locator("[data-without]").innerText(), /pbx1/);
    assert.deepEqual(await violations(page), []);
    gateway.tell({ event: "serverStatus", server: "pbx1", state: "CONNECTED" });
    await page.waitForFunction(() => !document.querySelector("[data-stale]"));
  });
}

async function anUnknownOutcomeIsOne(context) {
  const error = { code: "unknownOutcome", message: "sent, and the link died" };
  await open(context, { snapshot: centre(6), refuse: (action) => (action === "hangup" ? error : undefined) }, async (page, gateway) => {
    await tile(page, "10000").click();
    await page.click("[data-action=hangup]");
    const toast = page.locator('.toast[data-tone="unknown"]');
    await toast.waitFor();
    assert.match(await toast.innerText(), /unknown.*Check before repeating/i);
    assert.equal(await page.locator('.toast:is([data-tone="done"], [data-tone="refused"])').count(), 0);
    assert.equal(gateway.commands.filter(({ action }) => action === "hangup").length, 1, "and not sent again");
    await picture(page, "unknown-outcome");
    // The connection dies before the answer: the same.
    await toast.locator("button").click();
    gateway.refuse = () => "silence";
    await page.click("[data-action=park]");
    await toast.waitFor();
  });
}

async function aLostGatewayIsSaidAndComesBack(context) {
  await open(context, { snapshot: centre(6) }, async (page, gateway, port) => {
    const { snapshot } = gateway;
    await gateway.close();
    gateway.server = undefined;
    await page.waitForSelector(".banner");
    assert.equal(await page.locator(".tile[data-stale]").count(), 6, "nothing is known to be true");
    const next = new FakeGateway({ snapshot });
    await next.listen(port);
    await page.waitForSelector(".banner", { state: "detached" });
    assert.equal(await page.locator(".tile[data-stale]").count(), 0);
    assert.equal(await page.locator(".link").getAttribute("data-link"), "connected");
    await next.close();
  });
}

async function whatOneMayNotDoIsNotThere(context) {
  const actions = async (page) => {
    const found = await page.locator(".sheet [data-action], .sheet [data-form]").evaluateAll(
      (all) => all.map((one) => one.dataset.action ?? one.dataset.form),
    );
    return found.filter((name) => name !== "closeSheet").sort();
  };
  const opened = async (who, agent) => {
    let found;
    await open(context, { who, snapshot: centre(6) }, async (page) => {
      await tile(page, agent).click();
      await page.waitForSelector(".sheet");
      found = await actions(page);
    });
    return found;
  };
  assert.deepEqual(await opened({ user: "wall", allow: [] }, "10000"), []);
  const own = ["dial:own", "hangup:own", "transfer:own", "message"];
  assert.deepEqual(await opened({ user: "ann", extension: "10000", allow: own }, "10000"), ["hangup", "message", "transfer"]);
  assert.deepEqual(await opened({ user: "ann", extension: "10000", allow: own }, "10002"), ["dial", "message"]);
  assert.deepEqual(
    await opened({ user: "boss", extension: "10004", allow: ["*"] }, "10000"),
    ["barge", "dial", "hangup", "message", "mute", "park", "recordStart", "spy", "transfer", "whisper"],
  );
}

async function whatCallersCallThemselvesIsInert(context) {
  const snapshot = centre(3);
  await open(context, { who: { user: "ann", extension: "10000", allow: ["*"] }, snapshot }, async (page, gateway) => {
    const title = await page.title();
    const lines = [{ ...line("10000", new Date().toISOString(), "ringing"), name: EVIL }];
    gateway.tell({ event: "activeLines", server: "pbx1", agent: "10000", lines });
    gateway.tell({ event: "popup", server: "pbx1", agent: "10000", call: "c1", number: EVIL, state: "ringing" });
    gateway.tell({ event: "callerInfo", server: "pbx1", agent: "10000", call: "c1", number: EVIL, info: { [EVIL]: EVIL, nested: { a: [1, null] } }, source: "crm", cached: false });
    await page.waitForSelector(".popup .known");
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), title);
    assert.equal(await tile(page, "10000").locator(".middle bdi").innerText(), EVIL, "in a place of its own");
    assert.deepEqual(await violations(page), []);
    await page.fill(".popup textarea", "wants a refund");
    await page.click(".popup [type=submit]");
    await page.waitForSelector('.toast[data-tone="done"]');
    assert.deepEqual(gateway.commands.at(-1), { action: "note", call: "c1", text: "wants a refund" });
    await picture(page, "popup");
    await page.click(".popup [data-action=popupClose]");
    await page.waitForSelector(".popup", { state: "detached" });
    assert.equal(gateway.commands.at(-1).action, "popupClose");
  });
}

async function manyTilesAreWalkedByKeys(context) {
  await open(context, { snapshot: centre(5000) }, async (page) => {
    assert.ok((await page.locator(".tile").count()) < 200, "only what is seen is there");
    await page.locator('.tile[tabindex="0"]').focus();
    const focused = (agent) => page.waitForFunction((agent) => document.activeElement?.dataset.agent === agent, agent);
    await page.keyboard.press("ArrowRight");
    await focused("10001");
    await page.keyboard.press("End");
    await focused("14999");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".sheet");
    await page.keyboard.press("Escape");
    await focused("14999");
    await page.fill("input[name=search]", "agent 12345");
    await page.waitForFunction(() => document.querySelectorAll(".tile").length === 1);
    await page.fill("input[name=search]", "");
    await page.selectOption("select[name=group]", "group:Desk");
    await page.waitForFunction(() => document.querySelectorAll(".tile").length === 3);
    await page.click("[data-bucket=busy]");
    await page.waitForFunction(() => document.querySelectorAll(".tile").length === 2);
  });
}

async function itSpeaksSpanishAndRemembersItsLook(context) {
  await open(context, { snapshot: centre(6) }, async (page) => {
    await page.click(".menu summary");
    await page.selectOption("select[name=language]", "es");
    assert.match(await page.locator(".head nav").innerText(), /Extensiones[\s\S]*Colas/);
    await page.click("[data-action=theme]");
    await page.click("[data-action=theme]");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await page.reload();
    await page.waitForSelector(".tile");
    assert.equal(await page.evaluate(() => document.documentElement.lang + document.documentElement.dataset.theme), "esdark");
    await picture(page, "spanish-dark");
    await page.evaluate(() => localStorage.clear());
    await page.click(".menu summary");
    await page.click("[data-action=logout]");
    await page.waitForSelector("input[name=token]");
    assert.equal(await page.evaluate(() => JSON.stringify(sessionStorage)), "{}", "nothing is left of the login");
  });
}

/** A queue with somebody in it, and a member who could take them. */
function withQueue(snapshot) {
  const queue = { queue: "sales", server: "pbx1", count: 1 };
  queue.callers = [{ call: "c7", number: "0911", name: "Maja", position: 1, since: new Date().toISOString() }];
  queue.members = [{ agent: "10002", queue: "sales", server: "pbx1", name: "Cy", penalty: 0, callsTaken: 0, status: "not_inuse" }];
  return { ...snapshot, queues: [queue] };
}

async function aWaitingCallerIsDraggedOntoAMember(context) {
  await open(context, { snapshot: withQueue(centre(6)) }, async (page, gateway) => {
    await go(page, "queues");
    const drag = () => page.locator("li[draggable]").dragTo(page.locator('li[data-agent="10002"]'));
    await drag();
    await page.click('[data-drop="act.transfer"]');
    await page.waitForSelector('.toast[data-tone="done"]');
    assert.deepEqual(gateway.commands.at(-1), { action: "transfer", call: "c7", to: "10002", kind: "blind", server: "pbx1" });
    // Who is served meanwhile is not handed over.
    await drag();
    await page.waitForSelector('[data-drop="act.transfer"]');
    gateway.tell({ event: "queueCaller", server: "pbx1", queue: "sales", change: "left", call: "c7", number: "0911", name: "Maja", position: 1, wait: 1 });
    await page.waitForSelector('[data-drop="act.transfer"]', { state: "detached" });
    assert.match(await page.locator("dialog").innerText(), /that call is over/);
    assert.deepEqual(await violations(page), []);
  });
}

async function aDropIsAboutTheCallThatWasDragged(context) {
  await open(context, { snapshot: centre(6) }, async (page, gateway) => {
    const lines = (call, channel) => {
      const one = { ...line("10000", new Date().toISOString()), call, channel };
      gateway.tell({ event: "activeLines", server: "pbx1", agent: "10000", lines: [one] });
    };
    await tile(page, "10000").dragTo(tile(page, "10002"));
    await page.waitForSelector('[data-drop="act.transfer"]');
    lines("another", "PJSIP/10000-2");
    await page.waitForSelector('[data-drop="act.transfer"]', { state: "detached" });
    assert.match(await page.locator("dialog").innerText(), /that call is over/);
    assert.equal(gateway.commands.length, 0);
  });
}

async function aPhoneIsOneOfOneServer(context) {
  const snapshot = centre(6);
  const more = [{ agent: "10", server: "pbx1" }, { agent: "1001", server: "pbx1" }, { agent: "1001", server: "pbx2" }];
  for (const one of more) snapshot.users.push({ ...one, device: "d", name: "", status: "online", extensionStatus: "not_inuse" });
  await open(context, { snapshot }, async (page, gateway) => {
    await page.click(".menu summary");
    await page.locator("input[name=phone]").pressSequentially("1001");
    assert.equal(await page.inputValue("input[name=phone]"), "1001", "not emptied on the way");
    await page.selectOption("select[name=phoneServer]", "pbx2");
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    gateway.tell({ event: "popup", server: "pbx1", agent: "1001", call: "c1", number: "namesake", state: "ringing" });
    gateway.tell({ event: "popup", server: "pbx2", agent: "1001", call: "c2", number: "0911", state: "ringing" });
    await page.waitForSelector(".popup");
    assert.equal(await page.locator(".popup").count(), 1);
    assert.match(await page.locator("[data-announced]").innerText(), /0911: Calling/);
    await tile(page, "10000").click();
    await page.click(".sheet [data-action=dial]");
    await page.waitForSelector('.toast[data-tone="done"]');
    assert.deepEqual(gateway.commands.at(-1), { action: "dial", from: "1001", to: "10000", server: "pbx2" });
  });
}

export const HONEST = [
  aLostServerGreysItsOwn, anUnknownOutcomeIsOne, aLostGatewayIsSaidAndComesBack, whatOneMayNotDoIsNotThere,
  whatCallersCallThemselvesIsInert, manyTilesAreWalkedByKeys, itSpeaksSpanishAndRemembersItsLook,
  aWaitingCallerIsDraggedOntoAMember, aDropIsAboutTheCallThatWasDragged, aPhoneIsOneOfOneServer,
];
