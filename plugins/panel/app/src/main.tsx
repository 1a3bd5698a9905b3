/** Where the page begins. */

import { render } from "preact";
import { logIn } from "./app/session";
import { load, prefer } from "./app/settings";
import { t } from "./i18n";
import { App } from "./views/App";
import "./style/base.css";
import "./style/tiles.css";
import "./style/views.css";

const root = document.getElementById("app");
if (root) {
  prefer(undefined);
  load().then(
    (settings) => {
      prefer(settings);
      document.title = settings.title;
      render(<App settings={settings} />, root);
      logIn(settings);
    },
    (error: Error) => render(<main class="login"><p class="trouble" role="alert">{t("app.settingsFailed", { why: error.message })}</p></main>, root),
  );
}
