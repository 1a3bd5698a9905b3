/** What the plugin tells the page of this place, and what the user prefers. */

import { effect, signal } from "@preact/signals";
import type { Groups } from "../core/find";
import { isLanguage, language, preferred, type Language } from "../i18n";

/** `/panel.json`. */
export interface Settings {
  gateway?: string;
  gatewayPort: number;
  title: string;
  language?: Language;
  serviceLevelSeconds: number;
  serviceLevelTarget: number;
  groups: Groups;
}

export async function load(): Promise<Settings> {
  const response = await fetch("panel.json", { cache: "no-cache" });
  const told = (await response.json()) as Settings & { detail?: string };
  if (!response.ok) throw new Error(told.detail ?? String(response.status));
  return told;
}

/** Where the gateway is: on the page's own host, unless the settings say otherwise. */
export function gatewayOf(settings: Settings, page: { protocol: string; hostname: string }): string {
  if (settings.gateway) return settings.gateway;
  const scheme = page.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${page.hostname}:${settings.gatewayPort}/`;
}

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const kept = (name: string) => localStorage.getItem(`telepulse.${name}`);

const oldTheme = kept("theme") as Theme | null;
export const theme = signal<Theme>(oldTheme && THEMES.includes(oldTheme) ? oldTheme : "auto");

/** Takes the user's preferences up, and keeps them from now on. */
export function prefer(settings: Settings | undefined): void {
  const before = kept("language");
  language.value = isLanguage(before) ? before : preferred([settings?.language, ...navigator.languages]);
}

effect(() => {
  document.documentElement.lang = language.value;
});

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const system = signal(systemDark.matches);
systemDark.addEventListener("change", () => (system.value = systemDark.matches));

effect(() => {
  const automatic = system.value ? "dark" : "light";
  document.documentElement.dataset["theme"] = theme.value === "auto" ? automatic : theme.value;
});

effect(() => {
  localStorage.setItem("telepulse.theme", theme.value);
});

export function choose(chosen: Language): void {
  language.value = chosen;
  localStorage.setItem("telepulse.language", chosen);
}
