/** What is said to people, in their language: `texts/*.po`. */
import { createContext, use } from "react";

import en from "../../texts/en.po";

export const LANGUAGES = ["uk", "ru", "en"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Says the text of a key. `count` chooses the form of a plural; the variables stand as `{name}` in the text. */
export type Say = (key: string, variables?: Record<string, string | number>) => string;

// The order of gettext's forms: of these, a language has the ones that its plural rules name.
const CATEGORIES = ["one", "few", "many", "other"] as const;

const TEXTS = {
  en: async () => en,
  uk: async () => (await import("../../texts/uk.po")).default,
  ru: async () => (await import("../../texts/ru.po")).default,
};

/** Errors: those of fetching the language's texts. */
export async function spoken(language: Language): Promise<Say> {
  const told = await TEXTS[language]();
  const rules = new Intl.PluralRules(language);
  const ofLanguage = new Set(rules.resolvedOptions().pluralCategories);
  const categories = CATEGORIES.filter((category) => ofLanguage.has(category));
  return (key, variables = {}) => {
    const text = told[key] ?? en[key] ?? key;
    const count = Number(variables["count"] ?? 1);
    const form = typeof text === "string" ? text : (text[categories.indexOf(rules.select(count) as "one")] ?? text.at(-1) ?? key);
    return form.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(variables[name] ?? ""));
  };
}

export interface Speech {
  language: Language;
  say: Say;
}

export const SpeechContext = createContext<Speech>({ language: "en", say: (key) => key });

export const useSpeech = (): Speech => use(SpeechContext);

/** The browser's first language that is spoken here. */
export function browsers(): Language {
  const wanted = navigator.languages.map((one) => one.slice(0, 2));
  return LANGUAGES.find((one) => wanted.includes(one)) ?? "en";
}
