/** What became of what was done: said aloud, and shown. */

import { dismiss, toasts } from "../app/toasts";
import { t } from "../i18n";
import { Icon, type IconName } from "./Icon";
import type { Tone } from "../app/toasts";

const ICONS: Record<Tone, IconName> = { sent: "away", done: "free", refused: "offline", unknown: "unknown", message: "message" };

export function Toasts() {
  return (
    <section class="toasts" role="log" aria-live="polite" aria-label={t("outcome.label")}>
      {toasts.value.map(({ id, tone, text }) => (
        <div key={id} class="toast" data-tone={tone}>
          <span class="mark"><Icon name={ICONS[tone]} size={18} /></span>
          <p><bdi>{text}</bdi></p>
          <button type="button" class="plain" aria-label={t("outcome.dismiss")} onClick={() => dismiss(id)}><Icon name="close" /></button>
        </div>
      ))}
    </section>
  );
}
