// 給付: every benefit, the newest decision first.

import type { Benefit } from "../contract";
import { phaseOf, phaseState, told, type Told } from "../benefits";
import { month } from "../dates";
import { h } from "../dom";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, back, money, row, sentence } from "../pieces";
import type { Draw } from "../screen";
import { phrase, show, w } from "../words";

export const benefits: Draw = async () => {
  const kept = await get<Dated<readonly Benefit[]>>("benefits");
  const title = phrase("benefits.title");
  const above = back("/app/", "back.start");
  if (kept === undefined) return { title, above, nodes: loading() };
  const t = await told();
  const list = [...kept.value].sort((a, b) => b.decided_at.localeCompare(a.decided_at));
  return {
    title,
    above,
    nodes: [
      ...(list.length === 0 ? [h("p", {}, w("benefits.none"))] : [h("p", {}, w("benefits.lead")), h("ul", { class: "rows" }, ...list.map((b) => line(b, t)))]),
      ...[age(kept.at)].filter((x) => x !== null),
    ],
  };
};

function line(b: Benefit, t: Told): HTMLElement {
  return row(`/app/benefits/${b.id}`, b.id,
    phaseState(b, t),
    sentence(b.name, "row-title"),
    h("span", {}, show(month(b.month)), " ", h("strong", {}, show(b.amount === undefined ? phrase("benefit.amount_unknown") : money(b.amount)))),
    phaseOf(b, t) === "open" && h("span", { class: "small" }, w("benefit.silence")));
}
