// 証明書: by person, the current ones first.

import type { Certificate, Me, Person } from "../contract";
import { current, standing } from "../certificates";
import { dayOf, day } from "../dates";
import { h } from "../dom";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, doses, personName, row } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { phrase, show, w } from "../words";

export const certificates: Draw = async () => {
  const me = await get<Dated<Me>>("me");
  const list = await get<Dated<readonly Certificate[]>>("certificates");
  if (me === undefined || list === undefined) return { title: phrase("nav.certificates"), nodes: loading() };
  return {
    title: phrase("nav.certificates"),
    nodes: [
      ...me.value.people.map((p) => ofPerson(p, list.value.filter((c) => c.person === p.id))),
      h("ul", { class: "rows links" },
        row("/app/certificates/which", "which", h("span", { class: "row-title" }, w("which.title"))),
        row("/app/corrections", "corrections", h("span", { class: "row-title" }, w("corrections.title")), h("span", { class: "small" }, w("corrections.row")))),
      ...[age(list.at)].filter((x) => x !== null),
    ],
  };
};

function ofPerson(p: Person, list: readonly Certificate[]): HTMLElement {
  const shown = (["domestic", "overseas"] as const).map((use) => current(list, p.id, use)).filter((c) => c !== undefined);
  const older = list.filter((c) => !shown.includes(c));
  return h("section", { class: "person", "aria-labelledby": `p-${p.id}` },
    h("h2", { id: `p-${p.id}` }, personName(p), " ", h("span", { class: "small" }, w(`relation.${p.relation}`))),
    shown.length > 0
      ? h("ul", { class: "rows" }, ...shown.map((c) => line(c, list)))
      : h("p", {}, w("certificates.none")),
    older.length > 0 &&
      h("details", { id: `older-${p.id}` }, h("summary", {}, w("certificates.older")), h("ul", { class: "rows" }, ...older.map((c) => line(c, list)))),
    h("p", {}, h("a", { href: `/app/certificates/new?person=${p.id}`, class: "button second", id: `ask-${p.id}` },
      w(shown.length > 0 ? "certificates.ask_more" : "certificates.ask"))));
}

function line(c: Certificate, all: readonly Certificate[]): HTMLElement {
  const stands = standing(c, all);
  const facts = [h("span", { class: "row-title" }, w(`use.${c.use}`)), h("span", {}, show(doses(c)))];
  if (stands === "revoked") {
    return row(`/app/certificates/${c.id}`, c.id,
      h("s", { class: "row-text" }, ...facts),
      state("stopped", phrase("certificate.revoked", { day: day(dayOf(c.revoked_at ?? c.issued_at)) })));
  }
  return row(`/app/certificates/${c.id}`, c.id, ...facts,
    stands === "newer"
      ? state("attention", phrase("certificate.superseded"))
      : state("done", phrase("certificates.issued", { day: day(dayOf(c.issued_at)) })));
}
