/** A browser without a window, and a page of the panel that is logged in. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Runs `work` with a browser; whatever it leaves behind goes with it. */
export async function withBrowser(work, options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "telepulse-panel-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true, args: FLAGS, viewport: { width: 1440, height: 900 }, ...options,
  });
  try {
    return await work(context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Opens the panel and logs in by hand, as a user does. */
export async function logIn(context, panel, token) {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.troubles = troubles;
  await page.goto(panel);
  await page.fill("input[name=token]", token);
  await page.click("button[type=submit]");
  await page.waitForSelector(".head");
  return page;
}

/** Goes to a view by its link. */
export async function go(page, view) {
  await page.click(`nav a[href="#/${view}"]`);
  await page.waitForSelector(`.view-${view}[aria-busy=false]`);
}
