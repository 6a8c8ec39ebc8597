// Who looked at my data, newest first, as far as the purpose's visibility allows.

import type { Access } from "../contract";
import { api } from "../api";
import { moment } from "../dates";
import { h } from "../dom";
import { tell } from "../events";
import { Unreachable } from "../http";
import { change, get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { age, back } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { has, phrase, show, w, type Phrase } from "../words";

interface List {
  readonly entries: readonly Access[];
  readonly next?: string;
}

let fetchedOn = ""; // the address visit for which the list was fetched, so that a redraw does not ask again

export const access: Draw = async () => {
  const visitMark = `${performance.timeOrigin}-${history.length}`;
  const kept = await get<Dated<List>>("access");
  if (fetchedOn !== visitMark || kept === undefined) {
    fetchedOn = visitMark;
    void fetchPage();
  }
  return {
    title: phrase("access.title"),
    leave: () => {
      fetchedOn = "";
    },
    above: back("/app/me", "back.me"),
    nodes: [
      h("p", {}, w("access.lead")),
      ...(kept ? filled(kept.value) : loading()),
      ...(kept ? [age(kept.at)].filter((x) => x !== null) : []),
    ],
  };
};

function filled(list: List): readonly Node[] {
  if (list.entries.length === 0) return [h("p", {}, w("access.none"))];
  const more = list.next;
  return [
    h("ul", { class: "log" }, ...list.entries.map(entry)),
    ...(more ? [h("p", {}, h("button", { type: "button", class: "button second", id: "more", disabled: !lineUp(), on: { click: () => void fetchPage(more) } }, w("access.more")))] : []),
  ];
}

function entry(a: Access): HTMLElement {
  const items = a.items ?? [];
  return h("li", {},
    h("p", { class: "small" }, show(moment(a.at))),
    h("p", {}, h("strong", {}, a.who === "you" ? w("access.you") : h("span", { lang: "ja" }, a.who))),
    h("dl", {},
      h("div", {}, h("dt", {}, w("access.purpose")), h("dd", {}, show(known(`purpose.${a.purpose}`, "purpose.other")))),
      items.length > 0 && h("div", {}, h("dt", {}, w("access.items")), h("dd", {}, ...items.map((i) => h("span", { class: "item" }, show(item(i))))))));
}

const known = (key: string, otherwise: "purpose.other"): Phrase => phrase(has(key) ? key : otherwise);

const item = (name: string): Phrase => (has(`item.${name}`) ? phrase(`item.${name}` as "item.name") : [name]);

async function fetchPage(cursor?: string): Promise<void> {
  try {
    const a = await api({ method: "GET", path: "/v1/access-log?limit=50" + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : "") });
    const page = a.body as { entries: readonly Access[] | null; next?: string };
    await change<Dated<List>>("access", (old) => {
      const entries = [...(cursor ? (old?.value.entries ?? []) : []), ...(page.entries ?? [])];
      return { value: { entries, ...(page.next ? { next: page.next } : {}) }, at: Date.now() };
    });
    tell("data");
  } catch (e) {
    if (!(e instanceof Unreachable)) document.getElementById("main")?.append(h("p", { class: "note" }, state("stopped", phrase("trouble"))));
  }
}
