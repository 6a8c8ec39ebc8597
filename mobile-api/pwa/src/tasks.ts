// What there is to do or to answer, the nearest day first. A notice that is about a benefit
// or an offer on this phone gives its place to it, so that nothing stands there twice.

import type { Benefit, Notice, Offer } from "./contract";
import { hasRead, noticeFor, phaseOf, phaseState, type Phase, type Told } from "./benefits";
import { daysUntil } from "./dates";
import { h, type Child } from "./dom";
import { deadline, money, row, sentence, title } from "./pieces";
import { state } from "./state";
import { phrase, show, w } from "./words";

export interface Task {
  readonly by: string; // the last day, "" where there is none
  readonly must: boolean; // something has to be done; else one may answer
  readonly notice: string; // the notice that the row stands for, "" where there is none
  readonly row: HTMLElement;
}

/** isOpen: the notice has a day, and it has not passed. */
export const isOpen = (n: Notice): boolean => n.deadline !== undefined && n.deadline !== "" && daysUntil(n.deadline) >= 0;

export function tasks(t: Told, benefits: readonly Benefit[], offers: readonly Offer[]): readonly Task[] {
  const known = new Set([...benefits, ...offers].map((x) => x.id));
  const out = [
    ...t.notices.filter((n) => isOpen(n) && !(n.about && known.has(n.about.id))).map(ofNotice),
    ...benefits.map((b) => ofBenefit(b, t)),
    ...offers.map((o) => ofOffer(o, t)),
  ].filter((x) => x !== null);
  return out.sort((a, b) => (a.by || "9999").localeCompare(b.by || "9999"));
}

const from = (n: Notice | undefined): Child => n && h("span", { class: "small", lang: "ja" }, n.from);

const ofNotice = (n: Notice): Task => ({
  by: n.deadline ?? "",
  must: true,
  notice: n.id,
  row: row(`/app/notices/${n.id}`, `todo-${n.id}`, deadline(n.deadline ?? ""), title(n), from(n)),
});

/** Phases in which a benefit stands on the first page, and whether something has to be done. */
const asking: { readonly [p in Phase]?: boolean } = { needs: true, apply: true, unread: true, open: false };

function ofBenefit(b: Benefit, t: Told): Task | null {
  const phase = phaseOf(b, t);
  const must = asking[phase];
  if (must === undefined) return null;
  const n = noticeFor(b.id, t);
  const by = b.answer_by ?? (n && isOpen(n) ? n.deadline : undefined) ?? "";
  const first = n !== undefined && !hasRead(n, t); // the notice comes first: reading it is what starts the time to answer
  return {
    by,
    must,
    notice: n?.id ?? "",
    row: row(first ? `/app/notices/${n.id}` : `/app/benefits/${b.id}`, `todo-${b.id}`,
      phaseState(b, t),
      sentence(b.name, "row-title"),
      b.amount === undefined ? null : h("span", {}, show(money(b.amount))),
      phase === "open" && h("span", {}, w("benefit.silence")),
      from(n)),
  };
}

function ofOffer(o: Offer, t: Told): Task | null {
  if (!o.open || o.answer) return null;
  const n = noticeFor(o.id, t);
  const first = n !== undefined && !hasRead(n, t);
  return {
    by: "",
    must: false,
    notice: n?.id ?? "",
    row: row(first ? `/app/notices/${n.id}` : `/app/offers/${o.id}`, `todo-${o.id}`,
      state("waiting", phrase("answer.can")),
      sentence(o.name, "row-title"),
      from(n)),
  };
}
