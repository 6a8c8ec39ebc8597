// One correction: its number in large type, how it stands, the office's answer.

import type { Correction, Me } from "../contract";
import { day, dayOf } from "../dates";
import { h, paragraphs } from "../dom";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, back, bigLink, counterCard, group, personName } from "../pieces";
import type { Draw, Screen } from "../screen";
import { phrase, show, w } from "../words";
import { correctionState } from "./corrections";

export const correction: Draw = async (visit) => {
  const kept = await get<Dated<readonly Correction[]>>("corrections");
  const me = (await get<Dated<Me>>("me"))?.value;
  const c = kept?.value.find((x) => x.reference === visit.id);
  if (kept !== undefined && c !== undefined) return page(c, me, kept.at);
  return {
    title: phrase("correction.title"),
    above: back("/app/corrections", "corrections.title"),
    nodes: kept === undefined ? loading() : [h("p", {}, w("correction.unknown"))],
  };
};

function page(c: Correction, me: Me | undefined, at: number): Screen {
  const person = me?.people.find((x) => x.id === c.person);
  return {
    title: phrase("correction.title"),
    above: back("/app/corrections", "corrections.title"),
    nodes: [
      h("p", {}, correctionState(c)),
      h("p", { class: "number" }, h("span", { class: "small block" }, w("correction.number_label")), h("strong", { id: "number" }, c.reference)),
      ...next(c),
      ...(c.answer ? [group("answer", "correction.answer", h("div", { lang: "ja", class: "answer" }, ...paragraphs(c.answer)), c.answered_at ? h("p", { class: "small" }, show(day(dayOf(c.answered_at)))) : null)] : []),
      group("asked", "correction.what",
        h("dl", { class: "facts-list" },
          fact(w("correction.who"), person ? personName(person) : ""),
          fact(w("correction.kind"), w(`correct.kind.${c.kind}`)),
          c.dose ? fact(w("correction.dose"), w("certificate.dose", { n: c.dose })) : null,
          fact(w("correction.day"), show(day(dayOf(c.asked_at)))),
          fact(w("correction.words"), ...paragraphs(c.words)))),
      counterCard(c.counter),
      ...[age(at)].filter((x) => x !== null),
    ],
  };
}

const fact = (dt: Node, ...dd: (Node | string)[]): HTMLElement => h("div", {}, h("dt", {}, dt), h("dd", {}, ...dd));

/** next is what it means now, and what to do. */
function next(c: Correction): readonly Node[] {
  if (c.state === "corrected") {
    return [h("p", {}, w("correction.corrected.next")), h("p", {}, bigLink(`/app/certificates/new?person=${c.person}`, "certificate.reissue", "reissue"))];
  }
  return [h("p", {}, w(c.state === "nothing_to_correct" ? "correction.nothing.next" : "correction.open.next"))];
}
