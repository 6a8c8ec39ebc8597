// Small pieces that several screens share.

import type { Certificate, Counter, Me, Notice, Person, Sentence, Text } from "./contract";
import { day, dayCount, daysUntil, moment } from "./dates";
import { h, type Child } from "./dom";
import { icon, type Icon } from "./icons";
import { lineUp } from "./line";
import { state } from "./state";
import { language, phrase, show, tag, w, type Key, type Phrase } from "./words";

/** bigLink is a link that looks like the one thing to do. */
export const bigLink = (href: string, key: Key, id?: string): HTMLElement =>
  h("a", { href, class: "button", id: id ?? null }, w(key));

/** row is one tappable line of a list. */
export function row(href: string, id: string, ...children: Child[]): HTMLElement {
  return h("li", {}, h("a", { href, class: "row", id }, h("span", { class: "row-text" }, ...children), icon("next")));
}

/** group is a headed part of a page. */
export function group(id: string, key: Key, ...children: Child[]): HTMLElement {
  return h("section", { "aria-labelledby": id }, h("h2", { id }, w(key)), ...children);
}

/** back is the way up. */
export const back = (href: string, key: Key): HTMLElement =>
  h("p", { class: "back" }, h("a", { href, class: "with-icon" }, icon("back"), h("span", {}, w(key))));

/** labelled is an icon with its words, for buttons and links. */
export const labelled = (i: Icon, key: Key): readonly Node[] => [icon(i), h("span", {}, w(key))];

/** counterCard says where to go. */
export function counterCard(c: Counter): HTMLElement {
  return h("section", { class: "counter" },
    h("h2", { class: "with-icon", lang: "ja" }, icon("counter"), h("span", {}, c.municipality, " ", c.name)),
    h("dl", {},
      h("div", {}, h("dt", {}, w("counter.place")), h("dd", { lang: "ja" }, c.place)),
      h("div", {}, h("dt", {}, w("counter.hours")), h("dd", { lang: "ja" }, c.hours)),
      h("div", {}, h("dt", {}, w("counter.phone")), h("dd", {}, phoneLink(c.phone)))));
}

/** phoneLink can be tapped to call. */
export const phoneLink = (n: string): HTMLElement => h("a", { href: "tel:" + n.replace(/[^0-9+]/g, ""), class: "phone" }, n);

/** age says from when the shown data is, when that is not "now". */
export const age = (at: number): HTMLElement | null =>
  lineUp() ? null : h("p", { class: "age" }, state("old", phrase("age.as_of", { when: moment(at) })));

/** needsLine says before an act that it cannot start now. */
export const needsLine = (): HTMLElement | null =>
  lineUp() ? null : h("p", { class: "note", id: "needs-line" }, state("stopped", phrase("needs_line")));

/** textIn picks a notice's words in the chosen language, the Japanese original where it has none. */
export function textIn(n: Notice, l: string = language()): Text {
  const found = n.texts.find((x) => x.language === l) ?? n.texts.find((x) => x.language === "ja") ?? n.texts[0];
  return found ?? { language: "ja", title: n.number, body: "" };
}

/** title is a notice's title in its own language's tag. */
export function title(n: Notice): HTMLElement {
  const text = textIn(n);
  return h("span", { class: "row-title", lang: tag(text.language) }, text.title);
}

/** sentence is a text of the server in the chosen language, the Japanese one where it has none. */
export function sentence(of: readonly Sentence[], className?: string): HTMLElement {
  const found = sentenceIn(of);
  return h("span", { lang: tag(found.language), class: className ?? null }, found.text);
}

/** sentenceIn picks the text that sentence shows. */
export function sentenceIn(of: readonly Sentence[]): Sentence {
  return of.find((x) => x.language === language()) ?? of.find((x) => x.language === "ja") ?? of[0] ?? { language: "ja", text: "" };
}

/** money is an amount in yen: 10,000円. */
export const money = (yen: number): Phrase => phrase("money", { n: yen.toLocaleString("en-US") });

/** deadline says by when, and how many days that is. */
export function deadline(iso: string): HTMLElement {
  const left = daysUntil(iso);
  if (left < 0) return state("stopped", phrase("deadline.past", { day: day(iso) }));
  if (left === 0) return state("attention", phrase("deadline.today", { day: day(iso) }));
  if (left === 1) return state("attention", phrase("deadline.tomorrow", { day: day(iso) }));
  return state("attention", phrase("deadline.in", { day: day(iso), n: dayCount(left) }));
}

/** doses says how many and when the last was. */
export function doses(c: Certificate): Phrase {
  const last = c.doses.reduce((a, d) => (d.on > a ? d.on : a), "");
  if (last === "") return phrase("doses.none");
  return phrase(c.doses.length === 1 ? "doses.one" : "doses.many", { n: c.doses.length, day: day(last) });
}

/** personName is the name in the form that the language reads. */
export const personName = (p: Person): string => (language() === "en" && p.name_latin ? p.name_latin : p.name);

/** personChoices asks whom it is about. */
export function personChoices(me: Me, chosen: string, legend: Key): HTMLElement {
  return h("fieldset", { class: "choices" }, h("legend", {}, w(legend)), ...me.people.map((p) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "person", value: p.id, id: `for-${p.id}`, checked: p.id === chosen }),
      h("span", {}, personName(p), " ", h("span", { class: "small" }, w(`relation.${p.relation}`))))));
}

/** progress stands in a button's place while something runs. */
export const progress = (key: Key): HTMLElement => h("p", { role: "status", class: "note" }, state("busy", phrase(key)));

/** words of a refusal, by its code. */
export function refusalWords(code: string): Phrase {
  switch (code) {
    case "no_record": return phrase("refused.no_record");
    case "identity_unlinked": return phrase("refused.identity_unlinked");
    case "forbidden": return phrase("refused.forbidden");
    case "rate_limited": return phrase("refused.rate_limited");
    case "my_number_refused": return phrase("refused.my_number");
    case "restored": return phrase("refused.restored");
    case "unavailable":
    case "unknown_outcome": return phrase("refused.unavailable");
    default: return phrase("refused.other");
  }
}

/** reference is the number to quote when asking for help. */
export const reference = (trace: string): HTMLElement | null =>
  trace === "" ? null : h("p", { class: "reference" }, show(phrase("refused.reference", { trace })));
