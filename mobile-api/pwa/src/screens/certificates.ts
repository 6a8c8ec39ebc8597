// 証明書: by person, the current ones first.

import type { Certificate, Me, Person } from "../contract";
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
      ...[age(list.at)].filter((x) => x !== null),
    ],
  };
};

function ofPerson(p: Person, list: readonly Certificate[]): HTMLElement {
  const current = list.filter((c, i) => list.findIndex((d) => d.use === c.use) === i);
  const older = list.filter((c) => !current.includes(c));
  return h("section", { class: "person", "aria-labelledby": `p-${p.id}` },
    h("h2", { id: `p-${p.id}` }, personName(p), " ", h("span", { class: "small" }, w(`relation.${p.relation}`))),
    current.length > 0
      ? h("ul", { class: "rows" }, ...current.map(line))
      : h("p", {}, w("certificates.none")),
    older.length > 0 &&
      h("details", { id: `older-${p.id}` }, h("summary", {}, w("certificates.older")), h("ul", { class: "rows" }, ...older.map(line))),
    h("p", {}, h("a", { href: `/app/certificates/new?person=${p.id}`, class: "button second", id: `ask-${p.id}` },
      w(current.length > 0 ? "certificates.ask_more" : "certificates.ask"))));
}

function line(c: Certificate): HTMLElement {
  return row(`/app/certificates/${c.id}`, c.id,
    h("span", { class: "row-title" }, w(`use.${c.use}`)),
    h("span", {}, show(doses(c))),
    c.superseded
      ? state("attention", phrase("certificate.superseded"))
      : state("done", phrase("certificates.issued", { day: day(dayOf(c.issued_at)) })));
}
