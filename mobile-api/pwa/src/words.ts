// The catalogue of words. A sentence is one entry with named places, never assembled from
// pieces. Furigana is written {漢字|かんじ}; a named place is written {name}.

import ja from "./words/ja.json";
import easy from "./words/ja-easy.json";
import en from "./words/en.json";
import { h } from "./dom";
import { get, put } from "./keep";

export type Language = "ja" | "ja-easy" | "en";
export type Key = keyof typeof ja;

/** A Token is plain text or a base with its reading. */
export type Token = string | { readonly base: string; readonly ruby: string };
export type Phrase = readonly Token[];
export type Values = { readonly [name: string]: string | number | Phrase };

export const languages: readonly Language[] = ["ja", "ja-easy", "en"];

const catalogues: { readonly [l in Language]: { readonly [k in Key]: string } } = { ja, "ja-easy": easy, en };

let current: Language = "ja";

export const language = (): Language => current;

/** tag is the BCP 47 language of a catalogue's text: plain Japanese is Japanese. */
export const tag = (l: string): string => (l === "en" ? "en" : "ja");

export const known = (l: unknown): l is Language => languages.includes(l as Language);

/** recall takes the language chosen before, else the browser's when it is Japanese, else English. */
export async function recall(): Promise<void> {
  const chosen = await get<string>("language");
  use(known(chosen) ? chosen : navigator.language.startsWith("ja") ? "ja" : "en");
}

/** choose keeps the language for next time and for the service worker. */
export async function choose(l: Language): Promise<void> {
  await put("language", l);
  use(l);
}

function use(l: Language): void {
  current = l;
  document.documentElement.lang = tag(l);
  document.documentElement.dataset["language"] = l;
}

/** has tells whether the catalogue has the key: for keys that come from the server. */
export const has = (key: string): key is Key => Object.hasOwn(ja, key);

const notation = /\{([^{}|]+)\|([^{}|]+)\}|\{([a-z_]+)\}/g;

/** phrase fills the entry's places. A place without a value stays visible, so that a test sees it. */
export function phrase(key: Key, values: Values = {}): Phrase {
  const text = catalogues[current][key];
  const out: Token[] = [];
  let from = 0;
  for (const m of text.matchAll(notation)) {
    if (m.index > from) out.push(text.slice(from, m.index));
    from = m.index + m[0].length;
    const [, base, ruby, name] = m;
    if (base !== undefined && ruby !== undefined) out.push({ base, ruby });
    else out.push(...place(name ?? "", values, m[0]));
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

function place(name: string, values: Values, fallback: string): Phrase {
  const v = values[name];
  if (v === undefined) return [fallback];
  return typeof v === "string" || typeof v === "number" ? [String(v)] : v;
}

/**
 * show turns a phrase into one node, readings as <ruby>: plain text stays a text node, so
 * that a phrase is one item in a flex box or grid whatever it holds.
 */
export function show(p: Phrase): Node {
  if (p.every((t) => typeof t === "string")) return document.createTextNode(p.join(""));
  const out = h("span");
  for (const t of p) {
    out.append(
      typeof t === "string"
        ? t
        : h("ruby", {}, t.base, h("rp", {}, "（"), h("rt", {}, t.ruby), h("rp", {}, "）")),
    );
  }
  return out;
}

/** plain drops the readings: for titles and accessible names. */
export const plain = (p: Phrase): string => p.map((t) => (typeof t === "string" ? t : t.base)).join("");

/** w is the entry as one node. */
export const w = (key: Key, values?: Values): Node => show(phrase(key, values));

/** t is the entry as plain text. */
export const t = (key: Key, values?: Values): string => plain(phrase(key, values));
