/** Words in the user's language. */

import { signal } from "@preact/signals";
import { en, type Catalogue, type Key } from "./en";
import { es } from "./es";

export type { Key } from "./en";

export const LANGUAGES = { en: "English", es: "Español" } as const;
export type Language = keyof typeof LANGUAGES;

const CATALOGUES: Record<Language, Catalogue> = { en, es };

export const language = signal<Language>("en");

export function isLanguage(word: string | null | undefined): word is Language {
  return word !== null && word !== undefined && Object.hasOwn(CATALOGUES, word);
}

/** The first of these that there is. */
export function preferred(words: readonly (string | null | undefined)[]): Language {
  return words.map((word) => word?.slice(0, 2)).find(isLanguage) ?? "en";
}

/** Puts values into a sentence; what is not given stays as it is. */
export function fill(sentence: string, values: Record<string, string | number>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The words of a key. Whoever calls it while it renders is rendered anew in another language. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(CATALOGUES[language.value][key], values);
}
