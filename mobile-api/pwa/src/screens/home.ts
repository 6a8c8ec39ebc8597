// ホーム: what to do, nearest deadline first; then new notices; then the certificate.

import type { Certificate, Me, Notice } from "../contract";
import { day, daysUntil, moment, today } from "../dates";
import { h } from "../dom";
import { icon } from "../icons";
import { get, type Dated } from "../keep";
import { age, bigLink, deadline, doses, group, row, title } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { troubled, type NoticeList } from "../sync";
import { loading } from "../loading";
import { phrase, show, w, type Phrase } from "../words";

const newest = 3; // unread notices shown here; the rest is one tap away

export const home: Draw = async () => {
  const kept = await get<Dated<NoticeList>>("notices");
  const cards = await get<Dated<readonly Certificate[]>>("certificates");
  if (kept === undefined && cards === undefined) return { title: phrase("nav.home"), nodes: loading() };
  const list = kept?.value.notices ?? [];
  const todo = list.filter(isOpen).sort((a, b) => (a.deadline ?? "").localeCompare(b.deadline ?? ""));
  const fresh = list.filter((n) => !isOpen(n) && !n.read_at);
  return {
    title: headline(todo.length, fresh.length),
    nodes: [
      h("p", { class: "today" }, show(phrase("home.today", { day: day(today()) }))),
      ...(troubled() ? [h("p", { class: "note" }, state("stopped", phrase("trouble")))] : []),
      ...(todo.length > 0 ? [group("todo", "home.todo", h("ul", { class: "rows" }, ...todo.map(task)))] : []),
      ...(todo.length + fresh.length === 0 ? [h("p", {}, w("home.calm"))] : []),
      ...(fresh.length > 0 ? [freshNotices(fresh)] : []),
      h("section", { "aria-labelledby": "card" }, h("h2", { id: "card", class: "unseen" }, w("home.certificate")), await cardRow(cards?.value ?? [])),
      ...[age(Math.min(kept?.at ?? Infinity, cards?.at ?? Infinity))].filter((x) => x !== null),
    ],
  };
};

const isOpen = (n: Notice): boolean => n.deadline !== undefined && n.deadline !== "" && daysUntil(n.deadline) >= 0;

function headline(todo: number, fresh: number): Phrase {
  if (todo === 1) return phrase("home.headline.todo_one");
  if (todo > 1) return phrase("home.headline.todo", { n: todo });
  return phrase(fresh > 0 ? "home.headline.new" : "home.headline.nothing");
}

function task(n: Notice): HTMLElement {
  return row(`/app/notices/${n.id}`, `todo-${n.id}`, deadline(n.deadline ?? ""), title(n), from(n));
}

const from = (n: Notice): HTMLElement => h("span", { class: "small", lang: "ja" }, n.from);

function freshNotices(fresh: readonly Notice[]): HTMLElement {
  const rows = fresh.slice(0, newest).map((n) =>
    row(`/app/notices/${n.id}`, `new-${n.id}`, title(n), h("span", { class: "small" }, show(moment(n.sent_at)))));
  const all = fresh.length > newest ? h("p", {}, h("a", { href: "/app/notices", id: "all-notices" }, w("home.all_notices"))) : null;
  return group("new", "home.new", h("ul", { class: "rows" }, ...rows), all);
}

/** cardRow is the newest current certificate of the caller, else of a child. */
async function cardRow(list: readonly Certificate[]): Promise<HTMLElement> {
  const me = await get<Dated<Me>>("me");
  const self = me?.value.people[0]?.id;
  const mine = list.filter((c) => c.person === self);
  const best = [...mine, ...list].find((c) => !c.superseded) ?? mine[0] ?? list[0];
  if (best === undefined) {
    return h("div", { class: "act" }, h("p", {}, w("home.no_certificate")), bigLink("/app/certificates/new", "certificates.ask", "ask"));
  }
  return h("a", { href: `/app/certificates/${best.id}`, class: "card-row", id: "certificate" },
    icon("certificate"),
    h("span", { class: "row-text" },
      h("span", { class: "row-title" }, w("home.show_certificate")),
      h("span", {}, show(doses(best))),
      best.superseded ? h("span", {}, w("certificate.superseded")) : null),
    icon("next"));
}
