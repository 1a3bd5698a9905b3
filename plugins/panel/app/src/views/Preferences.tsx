/** Language and appearance. */

import { choose, theme, THEMES } from "../app/settings";
import { isLanguage, language, LANGUAGES, t } from "../i18n";

export function Preferences() {
  const next = () => {
    theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
  };
  return (
    <div class="preferences">
      <label class="field inline">
        <span>{t("head.language")}</span>
        <select
          name="language" value={language.value}
          onChange={({ currentTarget: { value } }) => isLanguage(value) && choose(value)}
        >
          {Object.entries(LANGUAGES).map(([code, name]) => <option key={code} value={code} lang={code}>{name}</option>)}
        </select>
      </label>
      <button type="button" class="quiet" data-action="theme" onClick={next}>
        {t("head.theme", { theme: t(`theme.${theme.value}`) })}
      </button>
    </div>
  );
}
