/** Every view in both themes, wide and on a phone: no violation of accessibility rules, and a picture of each. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { go } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
export const VIEWS = ["extensions", "queues", "rooms", "servers", "wallboard"];

/** What slides in is half transparent until it is there. */
const still = (page) => page.evaluate(async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await Promise.all(document.getAnimations().map((animation) => animation.finished));
});

/** What axe finds wrong with what is on the page. */
export async function violations(page) {
  await still(page);
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

/** A picture, if somebody wants it. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await still(page);
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function check(page, name) {
  await picture(page, name);
  assert.deepEqual(await violations(page), [], name);
}

/** `page`: logged in, with tiles. Answers how many pictures there were. */
export async function views(page) {
  let seen = 0;
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const view of VIEWS) {
        await go(page, view);
        await check(page, `${view}-${colorScheme}-${size}`);
        seen += 1;
      }
      await go(page, "extensions");
      const talking = page.locator(".tile[data-line]");
      await (await talking.count() ? talking : page.locator(".tile")).first().click();
      await page.waitForSelector(".sheet");
      await check(page, `sheet-${colorScheme}-${size}`);
      await page.keyboard.press("Escape");
      await page.waitForSelector(".sheet", { state: "detached" });
      await page.click(".menu summary");
      await page.waitForSelector(".menu[open]");
      await check(page, `menu-${colorScheme}-${size}`);
      await page.keyboard.press("Escape");
      seen += 2;
    }
  }
  await page.setViewportSize(SIZES.wide);
  await page.emulateMedia({ colorScheme: "light" });
  return seen;
}

/** The page before anybody has logged in, and after a token that is not good. */
export async function loginPage(context, panel) {
  const page = await context.newPage();
  await page.goto(panel);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.waitForSelector("form");
    await check(page, `login-${colorScheme}-wide`);
  }
  await page.fill("input[name=token]", "not-a-good-token");
  await page.click("button[type=submit]");
  await page.waitForFunction(() => document.querySelector(".trouble")?.textContent.includes("not good"));
  assert.deepEqual(await violations(page), [], "a wrong token");
  assert.equal(await page.evaluate(() => sessionStorage.getItem("telepulse.token")), null, "a bad token is not kept");
  await page.close();
}
