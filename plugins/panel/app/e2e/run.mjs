/**
 * The panel in a real browser. `PARTS`: honest (needs nothing), login, views, actions (a running platform: `PANEL`, `TOKEN`);
 * `SCREENSHOTS`: a folder for pictures.
 */

import { withBrowser, logIn } from "./browser.mjs";
import { HONEST } from "./honest.mjs";
import { actions } from "./actions.mjs";
import { loginPage, views } from "./views.mjs";

const { PARTS = "honest,login,views", PANEL = "http://127.0.0.1:8083/", TOKEN = "demo", ONLY = "" } = process.env;

const platform = {
  login: (context) => loginPage(context, PANEL),
  views: async (context) => {
    const page = await logIn(context, PANEL, TOKEN);
    await page.waitForSelector(".tile");
    await views(page);
    if (page.troubles.length > 0) throw new Error(page.troubles.join("\n"));
  },
  actions: async (context) => actions(await logIn(context, PANEL, TOKEN)),
};

const tests = PARTS.split(",").flatMap((part) => (part === "honest" ? HONEST.map((test) => [test.name, test]) : [[part, platform[part]]]));

await withBrowser(async (context) => {
  for (const [name, test] of tests) {
    if (!name.includes(ONLY)) continue;
    const begun = Date.now();
    try {
      await test(context);
      console.log(`ok ${name} (${Date.now() - begun} ms)`);
    } catch (error) {
      console.log(`FAILED ${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
});
process.stdin.unref?.();
