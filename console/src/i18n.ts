// Words in three languages. A key that a language lacks is a type error.
import { ar } from "./lang/ar";
import { en } from "./lang/en";
import { fr } from "./lang/fr";

export type Key = keyof typeof en;
export type Words = Record<Key, string>;
export type Lang = "en" | "fr" | "ar";
export const LANGS: readonly { id: Lang; name: string }[] = [
  { id: "en", name: "English" },
  { id: "fr", name: "Français" },
  { id: "ar", name: "العربية" },
];
const words: Record<Lang, Words> = { en, fr, ar };

function first(): Lang {
  const kept = localStorage.getItem("vedette.lang");
  const want = [kept ?? "", ...navigator.languages].map((x) => x.slice(0, 2));
  return (want.find((x) => x in words) as Lang | undefined) ?? "en";
}

let lang: Lang = first();
export const language = (): Lang => lang;

export function setLanguage(to: Lang): void {
  lang = to;
  localStorage.setItem("vedette.lang", to);
  apply();
}

/** Tell the document: screen readers and the browser's own layout follow it. */
export function apply(): void {
  document.documentElement.lang = lang;
  document.documentElement.dir = lang === "ar" ? "rtl" : "ltr";
}

/** A text, with {name} filled in. */
export function t(key: Key, fill: Record<string, string | number> = {}): string {
  return words[lang][key].replace(/\{(\w+)\}/g, (all, name: string) => String(fill[name] ?? all));
}

/** A text for a word of the server's ("no_match", "wanted-person"), or that word, readable. */
export function word(prefix: string, value: string): string {
  const key = `${prefix}_${value.replace(/[-. ]/g, "_")}`;
  return key in words.en ? t(key as Key) : value.replace(/[-_]/g, " ");
}

// Western digits in Arabic too: scores, numbers of entries and times are read out and compared by phone.
const locale = (): string =>
  (navigator.languages.find((x) => x.startsWith(lang)) ?? lang) + (lang === "ar" ? "-u-nu-latn" : "");

export function number(v: number, digits = 0): string {
  return v.toLocaleString(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function clock(iso: string | null | undefined): string {
  return iso ? new Date(iso).toLocaleTimeString(locale(), { hour12: false }) : "–";
}

export function moment(iso: string | null | undefined): string {
  return iso ? new Date(iso).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short", hour12: false }) : "–";
}

/** 4:05, 1:02:03 */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (v: number): string => String(v).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
