// "Which one do I show?": by the place where one stands. It needs no data and no line.

import type { Certificate } from "../contract";
import { h } from "../dom";
import { get, type Dated } from "../keep";
import { back } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { phrase, w, type Key } from "../words";

const places: readonly { readonly id: string; readonly where: Key; readonly show: Key; readonly name: string; readonly why: Key }[] = [
  { id: "japan", where: "which.japan", show: "which.japan.show", name: "SMART Health Card", why: "which.japan.why" },
  { id: "clinic", where: "which.clinic", show: "which.clinic.show", name: "SMART Health Card", why: "which.clinic.why" },
  { id: "border", where: "which.border", show: "which.border.show", name: "ICAO VDS-NC", why: "which.border.why" },
  { id: "eu", where: "which.eu", show: "which.eu.show", name: "HC1", why: "which.eu.why" },
];

/** specimenAtTheBorder: what this installation issues for borders is only to look at. */
async function specimenAtTheBorder(): Promise<boolean> {
  const all = (await get<Dated<readonly Certificate[]>>("certificates"))?.value ?? [];
  return all.some((c) => c.renderings?.some((r) => r.where === "border" && r.specimen));
}

const drawn = (specimen: boolean): Awaited<ReturnType<Draw>> => ({
  title: phrase("which.title"),
  above: back("/app/certificates", "back.certificates"),
  nodes: [
    h("p", {}, w("which.lead")),
    h("dl", { class: "places" }, ...places.map((p) =>
      h("div", { id: `which-${p.id}` },
        h("dt", {}, w(p.where)),
        h("dd", {}, h("strong", {}, w(p.show)), h("span", { class: "small block" }, p.name), h("span", { class: "block" }, w(p.why)),
          p.id === "border" && specimen ? h("span", { class: "block", id: "border-specimen" }, state("stopped", phrase("which.border.specimen"))) : null)))),
    h("section", { "aria-labelledby": "unsure" }, h("h2", { id: "unsure" }, w("which.unsure")), h("p", {}, w("which.unsure.what"))),
    h("section", { "aria-labelledby": "paper" }, h("h2", { id: "paper" }, w("which.paper")), h("p", {}, w("which.paper.what"))),
    h("section", { "aria-labelledby": "safe" }, h("h2", { id: "safe" }, w("which.safe")), h("p", {}, w("which.safe.what"))),
  ],
});

export const which: Draw = async () => drawn(await specimenAtTheBorder());
