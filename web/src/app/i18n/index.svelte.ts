// The language of the page: the reader's, or the one that was switched to. English is there at once, others are loaded when they are asked for.
import { numbers, plurals } from "../../intl";
import { load } from "../load";
import { en } from "./en";

export interface Plural {
  one: string;
  other: string;
}

export type Key = keyof typeof en;
export type Messages = { readonly [K in Key]: (typeof en)[K] extends string ? string : Plural };
export type Language = "en" | "de";
export type Values = Readonly<Record<string, string | number>>;

export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: "en", name: "English" },
  { code: "de", name: "Deutsch" },
];

const STORED = "boxoffice.language";

let current = $state.raw<{ language: Language; messages: Messages }>({ language: "en", messages: en });

export function language(): Language {
  return current.language;
}

/** Languages of the reader with a region, such as de-AT, where they are of the page's language: dates and money follow it. */
export function locale(): string {
  const wanted = typeof navigator === "undefined" ? [] : (navigator.languages ?? []);
  return wanted.find((tag) => tag.toLowerCase().split("-")[0] === current.language) ?? current.language;
}

/** The first of `wanted` that there is, else English. */
export function choose(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = LANGUAGES.find(({ code }) => code === tag.toLowerCase().split("-")[0]);
    if (found) return found.code;
  }
  return "en";
}

export async function setLanguage(code: Language, keeps = true): Promise<void> {
  const messages: Messages = code === "de" ? (await load(() => import("./de"))).de : en;
  current = { language: code, messages };
  document.documentElement.lang = code;
  if (!keeps) return;
  try {
    localStorage.setItem(STORED, code);
  } catch {
    // Storage may be forbidden: then the reader's own language comes back.
  }
}

export async function startLanguage(): Promise<void> {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // As above.
  }
  const wanted = choose(stored === null ? navigator.languages : [stored, ...navigator.languages]);
  try {
    await setLanguage(wanted, false);
  } catch {
    // Rather English than nothing.
    document.documentElement.lang = "en";
  }
}

/** Letters that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name in such letters is set by itself: else it draws numbers and commas of the sentence around it to its other side. */
const isolated = (value: string) => (RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value);

export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : isolated(value);
  });
}

export function number(value: number): string {
  return numbers(locale()).format(value);
}

/** What the page says, in its language. */
export function t(key: Key, values: Values = {}): string {
  const message = current.messages[key];
  if (typeof message === "string") return fill(message, values);
  const n = typeof values.n === "number" ? values.n : 0;
  const form = plurals(current.language).select(n) === "one" ? message.one : message.other;
  return fill(form, values);
}

/** Whether there is a text for it: problems have codes that pages may not know. */
export function isKey(key: string): key is Key {
  return key in en;
}
