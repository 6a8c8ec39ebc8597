// ホーム: what to do, nearest deadline first; then new notices; then the certificate.

import type { Benefit, Certificate, Me, Offer } from "../contract";
import { told, type Told } from "../benefits";
import { day, moment, today } from "../dates";
import { h } from "../dom";
import { icon } from "../icons";
import { get, type Dated } from "../keep";
import { age, bigLink, doses, group, row, title } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { troubled } from "../sync";
import { isOpen, tasks, type Task } from "../tasks";
import { loading } from "../loading";
import { phrase, show, w, type Phrase } from "../words";

const newest = 3; // unread notices shown here; the rest is one tap away

export const home: Draw = async () => {
  const kept = await get<Dated<unknown>>("notices");
  const cards = await get<Dated<readonly Certificate[]>>("certificates");
  if (kept === undefined && cards === undefined) return { title: phrase("nav.home"), nodes: loading() };
  const benefits = (await get<Dated<readonly Benefit[]>>("benefits"))?.value ?? [];
  const offers = (await get<Dated<readonly Offer[]>>("offers"))?.value ?? [];
  const t = await told();
  const todo = tasks(t, benefits, offers);
  const shown = new Set(todo.map((x) => x.notice));
  const fresh = t.notices.filter((n) => !isOpen(n) && !n.read_at && !shown.has(n.id));
  return {
    title: headline(todo, fresh.length),
    nodes: [
      h("p", { class: "today" }, show(phrase("home.today", { day: day(today()) }))),
      ...(troubled() ? [h("p", { class: "note" }, state("stopped", phrase("trouble")))] : []),
      ...(todo.length > 0 ? [group("todo", "home.todo", h("ul", { class: "rows" }, ...todo.map((x) => x.row)))] : []),
      ...(todo.length + fresh.length === 0 ? [h("p", {}, w("home.calm"))] : []),
      ...(fresh.length > 0 ? [freshNotices(fresh)] : []),
      ...(benefits.length > 0 ? [h("p", {}, h("a", { href: "/app/benefits", class: "with-icon", id: "all-benefits" }, w("benefits.all")))] : []),
      h("section", { "aria-labelledby": "card" }, h("h2", { id: "card", class: "unseen" }, w("home.certificate")), await cardRow(cards?.value ?? [])),
      ...[age(Math.min(kept?.at ?? Infinity, cards?.at ?? Infinity))].filter((x) => x !== null),
    ],
  };
};

/** headline counts what has to be done; where nothing has to, what can be answered. */
function headline(todo: readonly Task[], fresh: number): Phrase {
  const must = todo.filter((x) => x.must).length;
  if (must === 1) return phrase("home.headline.todo_one");
  if (must > 1) return phrase("home.headline.todo", { n: must });
  if (todo.length === 1) return phrase("home.headline.answer_one");
  if (todo.length > 1) return phrase("home.headline.answer", { n: todo.length });
  return phrase(fresh > 0 ? "home.headline.new" : "home.headline.nothing");
}

function freshNotices(fresh: Told["notices"]): HTMLElement {
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
  const good = [...mine, ...list].filter((c) => !c.revoked_at);
  const best = good.find((c) => !c.superseded) ?? good[0] ?? mine[0] ?? list[0];
  if (best === undefined) {
    return h("div", { class: "act" }, h("p", {}, w("home.no_certificate")), bigLink("/app/certificates/new", "certificates.ask", "ask"));
  }
  return h("a", { href: `/app/certificates/${best.id}`, class: "card-row", id: "certificate" },
    icon("certificate"),
    h("span", { class: "row-text" },
      h("span", { class: "row-title" }, w("home.show_certificate")),
      h("span", {}, show(doses(best))),
      best.revoked_at ? h("span", {}, w("home.certificate_revoked")) : best.superseded ? h("span", {}, w("certificate.superseded")) : null),
    icon("next"));
}
