// One benefit: what, how much, when, what to do; then the days, the reasons, and how to say
// no. Saying no has a page of its own at the same address, so that the way back is the
// browser's.

import type { Benefit, BenefitChild, Me, Notice, Reason } from "../contract";
import { noticeFor, phaseOf, phaseState, refusable, told, type Phase, type Told } from "../benefits";
import { day, month } from "../dates";
import { h, type Child } from "../dom";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, back, bigLink, counterCard, group, money, sentence, sentenceIn } from "../pieces";
import type { Draw, Screen } from "../screen";
import { fetchOne } from "../sync";
import { timeline } from "../timeline";
import { phrase, show, tag, w, type Key } from "../words";
import { refuse } from "./refuse";

export const benefit: Draw = async (visit) => {
  const kept = await get<Dated<readonly Benefit[]>>("benefits");
  const b = kept?.value.find((x) => x.id === visit.id);
  const me = (await get<Dated<Me>>("me"))?.value;
  if (kept === undefined || b === undefined) return unknown(visit.id, kept !== undefined);
  const t = await told();
  return visit.query.get("step") === "refuse" ? refuse(b, t, me) : page(b, t, me, kept.at);
};

/** unknown asks the server once more: a push may be faster than the list. */
function unknown(id: string, listed: boolean): Screen {
  if (listed) void fetchOne("benefits", id);
  return {
    title: phrase("benefits.title"),
    above: back("/app/benefits", "back.benefits"),
    nodes: listed ? [h("p", {}, w("benefit.unknown"))] : loading(),
  };
}

function page(b: Benefit, t: Told, me: Me | undefined, at: number): Screen {
  const name = sentenceIn(b.name);
  const phase = phaseOf(b, t);
  return {
    title: [name.text],
    ownHeading: true,
    above: back("/app/benefits", "back.benefits"),
    nodes: [
      h("article", { class: "notice benefit" },
        h("h1", { tabindex: -1, lang: tag(name.language) }, name.text),
        b.amount === undefined ? null : h("p", { class: "amount", id: "amount" }, show(money(b.amount))),
        h("p", { id: "phase" }, phaseState(b, t)),
        facts(b, phase),
        toDo(b, phase, noticeFor(b.id, t)),
        perChild(b.children ?? []),
        timeline(b),
        why(b.steps ?? []),
        refusable(b, t) && wayOut(b),
        me && counterCard(me.counter),
        age(at)),
    ],
  };
}

function facts(b: Benefit, phase: Phase): HTMLElement {
  const fact = (key: Key, ...dd: Child[]): HTMLElement => h("div", {}, h("dt", {}, w(key)), h("dd", {}, ...dd));
  return h("dl", { class: "facts-list" },
    b.amount === undefined && fact("benefit.amount", w("benefit.amount_unknown")),
    fact("benefit.month", show(month(b.month))),
    b.pay_on && willBePaid(phase) && fact("benefit.pay_on", show(day(b.pay_on))),
    b.basis !== "" && fact("benefit.basis", h("span", { lang: "ja" }, b.basis)));
}

const willBePaid = (p: Phase): boolean => p !== "refused" && p !== "withdrawn" && p !== "needs";

const doing: { readonly [p in Phase]: Key } = {
  needs: "benefit.do.needs", apply: "benefit.do.apply", unread: "benefit.do.unread", open: "benefit.do.open",
  checking: "benefit.do.checking", refused: "benefit.do.refused", approved: "benefit.do.approved", withdrawn: "benefit.do.withdrawn",
};

function toDo(b: Benefit, phase: Phase, notice: Notice | undefined): HTMLElement {
  const needs = b.needs ?? [];
  const link = notice && (phase === "unread" || phase === "apply"
    ? bigLink(`/app/notices/${notice.id}`, "benefit.read_notice", "read-notice")
    : h("a", { href: `/app/notices/${notice.id}`, id: "read-notice", class: "with-icon" }, w("benefit.read_notice")));
  return group("do", "benefit.do",
    h("p", {}, w(doing[phase])),
    needs.length > 0 && h("ul", { class: "plain", id: "needs" }, ...needs.map((n) => h("li", {}, sentence(n)))),
    link && h("p", {}, link));
}

function perChild(children: readonly BenefitChild[]): HTMLElement | null {
  if (children.length === 0) return null;
  return group("children", "benefit.children",
    h("ul", { class: "sums" }, ...children.map((c) =>
      h("li", {},
        h("span", {}, h("span", { lang: "ja" }, c.name), h("span", { class: "small block" }, w("benefit.born", { day: day(c.birth_date) }))),
        h("strong", {}, show(c.amount === undefined ? phrase("benefit.amount_unknown") : money(c.amount)))))));
}

function why(steps: readonly Reason[]): HTMLElement | null {
  if (steps.length === 0) return null;
  return group("why", "benefit.why", h("ol", { class: "steps" }, ...steps.map(reason)));
}

function reason(r: Reason, i: number): HTMLElement {
  const fact = (key: Key, ...dd: Child[]): HTMLElement => h("div", {}, h("dt", {}, w(key)), h("dd", {}, ...dd));
  return h("li", {},
    h("p", {}, sentence(r.texts)),
    (r.article !== "" || r.parameter !== undefined) &&
      h("details", { id: `step-${i}` },
        h("summary", {}, w("benefit.article")),
        h("dl", { class: "facts-list" },
          r.article !== "" && fact("benefit.article_name", h("span", { lang: "ja" }, r.article)),
          r.parameter && fact("benefit.source", h("span", { lang: "ja" }, r.parameter.source)),
          r.parameter && fact("benefit.since", show(month(r.parameter.valid_from))))));
}

/** wayOut says what saying no does, before it can be said. */
function wayOut(b: Benefit): HTMLElement {
  return group("refuse", "benefit.refuse",
    h("p", {}, b.answer_by ? w("benefit.refuse.until", { day: day(b.answer_by) }) : w("benefit.refuse.open")),
    h("p", {}, h("a", { href: `/app/benefits/${b.id}?step=refuse`, class: "button stop", id: "to-refuse" }, w("benefit.refuse.button"))));
}
