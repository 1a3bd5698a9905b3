/**
 * Each action of the panel, on a platform with phones: 101, 102 and 103 answer, 104 rings and does not; 101 is the user's,
 * and nobody serves the queue `support`; who calls from outside is in a CRM. After each, whoever runs this says whether it is so: a line of JSON out, `ok` in.
 */

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { go } from "./browser.mjs";
import { picture } from "./views.mjs";

/** Has somebody look at Asterisk itself. */
function checker() {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return async (what, about) => {
    console.log(JSON.stringify({ check: what, ...about }));
    const { value } = await lines.next();
    assert.equal(value, "ok", `${what} ${JSON.stringify(about)}`);
  };
}

const tile = (page, agent) => page.locator(`.tile[data-agent="${agent}"]`);
const inMood = (page, agent, mood) => page.waitForSelector(`.tile[data-agent="${agent}"][data-mood="${mood}"]`);

async function openSheet(page, agent) {
  await tile(page, agent).click();
  await page.waitForSelector(`.sheet:has-text("${agent} ·")`);
}

/** Presses a button of a sheet, and waits until it is told that it was accepted. */
async function press(page, action) {
  await page.click(`.sheet [data-action=${action}]`);
  await accepted(page);
}

async function accepted(page) {
  const done = page.locator('.toast[data-tone="done"]');
  await done.first().waitFor();
  // They go by themselves too, perhaps while they are pressed.
  for (let tries = 0; (await done.count()) > 0; tries += 1) {
    assert.ok(tries < 20, "what was accepted does not go away");
    await done.first().locator("button").click({ timeout: 1000 }).catch(() => {});
  }
}

async function talk(page, check, one, other) {
  await openSheet(page, other);
  await press(page, "dial");
  await inMood(page, one, "talking");
  await inMood(page, other, "talking");
  await check("talk", { one, other });
}

async function hangUp(page, check, agent, idle) {
  await openSheet(page, agent);
  await press(page, "hangup");
  for (const one of idle) await inMood(page, one, "free");
  await check("idle", { agents: idle });
}

async function callsAreMadeAndEnded(page, check) {
  await talk(page, check, "101", "102");
  await picture(page, "asterisk-call");
  await hangUp(page, check, "102", ["101", "102"]);
}

async function draggingCallsAndTransfers(page, check) {
  await tile(page, "101").dragTo(tile(page, "102"));
  await page.click('[data-drop="act.dial"]');
  await accepted(page);
  await inMood(page, "102", "talking");
  await check("talk", { one: "101", other: "102" });
  await tile(page, "101").dragTo(tile(page, "103"));
  await picture(page, "asterisk-transfer");
  await page.click('[data-drop="act.transfer"] >> nth=0');
  await accepted(page);
  await inMood(page, "103", "talking");
  await inMood(page, "101", "free");
  await check("talk", { one: "102", other: "103" });
  await hangUp(page, check, "103", ["102", "103"]);
}

async function oneTalksFirst(page, check) {
  await talk(page, check, "101", "102");
  await openSheet(page, "101");
  await page.fill("[data-form=transfer] [name=to]", "103");
  await page.selectOption("[data-form=transfer] [name=kind]", "attended");
  await page.click("[data-form=transfer] button");
  await accepted(page);
  await inMood(page, "103", "talking");
  await check("consult", { one: "101", other: "103" });
  await press(page, "hangup");
  await inMood(page, "101", "free");
  await check("talk", { one: "102", other: "103" });
  await hangUp(page, check, "103", ["102", "103"]);
}

async function aCallIsParkedAndTaken(page, check) {
  await talk(page, check, "101", "102");
  await openSheet(page, "101");
  await press(page, "park");
  await inMood(page, "102", "parked");
  await check("parked", { agent: "102" });
  await page.keyboard.press("Escape");
  await go(page, "rooms");
  await page.waitForSelector("[data-space]");
  await picture(page, "asterisk-parked");
  await page.click("[data-action=fetch]");
  await accepted(page);
  await page.waitForSelector("[data-space]", { state: "detached" });
  await go(page, "extensions");
  await check("talk", { one: "101", other: "102" });
  await hangUp(page, check, "102", ["101", "102"]);
}

async function aRingingCallIsPickedUp(page, check) {
  // 103 calls 104, where nobody answers.
  await tile(page, "103").dragTo(tile(page, "104"));
  await page.click('[data-drop="act.dial"]');
  await accepted(page);
  await inMood(page, "104", "ringing");
  await openSheet(page, "104");
  await press(page, "pickup");
  await inMood(page, "101", "talking");
  await check("talk", { one: "101", other: "103" });
  await hangUp(page, check, "103", ["101", "103", "104"]);
}

async function aCallIsListenedToAndRecorded(page, check) {
  // 102 and 103 talk; 101 is the user's.
  await tile(page, "102").dragTo(tile(page, "103"));
  await page.click('[data-drop="act.dial"]');
  await accepted(page);
  await inMood(page, "103", "talking");
  for (const action of ["spy", "whisper", "barge"]) {
    await openSheet(page, "102");
    await press(page, action);
    await check("listens", { agent: "101" });
    await openSheet(page, "101");
    await press(page, "hangup");
    await check("idle", { agents: ["101"] });
  }
  await openSheet(page, "102");
  await press(page, "recordStart");
  await page.waitForSelector('.tile[data-agent="102"] [data-badge="recording"]');
  await check("recorded", { agent: "102" });
  await press(page, "recordPause");
  await page.waitForSelector('.tile[data-agent="102"] [data-badge="recordingPaused"]');
  await press(page, "recordResume");
  await page.waitForSelector('.tile[data-agent="102"] [data-badge="recording"]');
  await press(page, "recordStop");
  await page.waitForSelector('.tile[data-agent="102"] [data-badge]', { state: "detached" });
  await hangUp(page, check, "102", ["102", "103"]);
}

async function aQueueIsServedAndPaused(page, check) {
  const is = (status) => page.waitForSelector(`.queue[data-queue="support"] [data-agent="102"][data-status="${status}"]`);
  await openSheet(page, "102");
  await page.selectOption("[data-form=queueAdd] select", "support");
  await page.click("[data-form=queueAdd] button");
  await accepted(page);
  await page.keyboard.press("Escape");
  await go(page, "queues");
  await is("not_inuse");
  await check("member", { agent: "102", queue: "support", paused: false });
  const member = page.locator('.queue[data-queue="support"] [data-agent="102"]');
  await member.locator("[data-action=queuePause]").click();
  await accepted(page);
  await is("paused");
  await check("member", { agent: "102", queue: "support", paused: true });
  await picture(page, "asterisk-queue");
  await member.locator("[data-action=queueUnpause]").click();
  await accepted(page);
  await is("not_inuse");
  await check("member", { agent: "102", queue: "support", paused: false });
  await member.locator("[data-action=queueRemove]").click();
  await accepted(page);
  await member.waitFor({ state: "detached" });
  await check("noMember", { agent: "102", queue: "support" });
  await go(page, "extensions");
}

async function aConferenceIsLed(page, check) {
  for (const from of ["101", "102"]) await check("dial", { from, to: "700" });
  await inMood(page, "102", "conference");
  await go(page, "rooms");
  const room = page.locator('[data-conference="700"]');
  await room.locator("[data-action=conferenceLock]").click();
  await accepted(page);
  await room.locator("[data-action=conferenceUnlock]").waitFor();
  await check("locked", { conference: "700" });
  await room.locator("[data-action=conferenceMute]").first().click();
  await accepted(page);
  await room.locator("[data-action=conferenceUnmute]").first().waitFor();
  await picture(page, "asterisk-conference");
  await room.locator("[data-action=conferenceKick]").nth(1).click();
  await accepted(page);
  await room.locator("li").nth(1).waitFor({ state: "detached" });
  await room.locator("[data-action=conferenceKick]").click();
  await accepted(page);
  await room.waitFor({ state: "detached" });
  await check("idle", { agents: ["101", "102"] });
  await go(page, "extensions");
}

async function whoCallsIsKnown(page, check) {
  await check("calls", { to: "101" });
  const popup = page.locator(".popup");
  await popup.locator(".known").waitFor();
  assert.match(await popup.textContent(), /Maja Horvat/);
  await inMood(page, "101", "talking");
  await popup.locator("textarea").fill("wants a refund");
  await picture(page, "asterisk-popup");
  await popup.locator("[type=submit]").click();
  await accepted(page);
  await popup.locator("[data-action=popupClose]").click();
  await popup.waitFor({ state: "detached" });
  await hangUp(page, check, "101", ["101"]);
  await check("logged", { agent: "101", text: "wants a refund" });
}

const ALL = [
  callsAreMadeAndEnded, draggingCallsAndTransfers, oneTalksFirst, aCallIsParkedAndTaken, aRingingCallIsPickedUp,
  aCallIsListenedToAndRecorded, aQueueIsServedAndPaused, aConferenceIsLed, whoCallsIsKnown,
];

export async function actions(page) {
  const check = checker();
  await page.waitForSelector('.tile[data-agent="104"]');
  for (const action of ALL) {
    const begun = Date.now();
    await action(page, check);
    console.log(`ok ${action.name} (${Date.now() - begun} ms)`);
  }
  assert.deepEqual(page.troubles, []);
}
