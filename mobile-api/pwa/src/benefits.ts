// How a benefit stands, for its person: one phase decides the words on every screen.

import type { Benefit, Notice } from "./contract";
import { day, dayCount, daysUntil } from "./dates";
import { get, type Dated } from "./keep";
import { deadline } from "./pieces";
import { waiting } from "./receipts";
import { state, type State } from "./state";
import type { NoticeList } from "./sync";
import { phrase, type Key, type Phrase } from "./words";

export type Phase = "needs" | "apply" | "unread" | "open" | "checking" | "refused" | "approved" | "withdrawn";

/** Told is what the phone knows of the notices: those it has, and whether they were read. */
export interface Told {
  readonly notices: readonly Notice[];
  readonly unsent: readonly string[]; // read, and the office does not know yet
}

/** told reads it. */
export async function told(): Promise<Told> {
  return { notices: (await get<Dated<NoticeList>>("notices"))?.value.notices ?? [], unsent: await waiting() };
}

/** noticeFor finds the notice that tells of a benefit or an offer. */
export const noticeFor = (id: string, t: Told): Notice | undefined => t.notices.find((n) => n.about?.id === id);

/** hasRead: this notice was read, here or elsewhere. */
export const hasRead = (n: Notice, t: Told): boolean => Boolean(n.read_at) || t.unsent.includes(n.id);

/** phaseOf looks at the day too: what the phone keeps may be from before the deadline. */
export function phaseOf(b: Benefit, t: Told): Phase {
  switch (b.state) {
    case "open_question": return "needs";
    case "must_apply": return "apply";
    case "refused": return "refused";
    case "approved": return "approved";
    case "withdrawn": return "withdrawn";
    case "noticed":
    case "proven":
      if (b.answer_by) return daysUntil(b.answer_by) < 0 ? "checking" : "open";
      return isUnread(b, t) ? "unread" : "open"; // read: the last day comes with the next answer of the server
    default: return "checking";
  }
}

function isUnread(b: Benefit, t: Told): boolean {
  const n = noticeFor(b.id, t);
  return n === undefined || !hasRead(n, t);
}

/** refusable: it can be declined now, as far as the phone knows. */
export function refusable(b: Benefit, t: Told): boolean {
  const phase = phaseOf(b, t);
  return b.refusable && (phase === "open" || phase === "unread");
}

const looks: { readonly [p in Exclude<Phase, "open">]: readonly [State, Key] } = {
  needs: ["attention", "benefit.needs"],
  apply: ["attention", "benefit.apply"],
  unread: ["attention", "benefit.unread"],
  checking: ["busy", "benefit.checking"],
  refused: ["done", "benefit.refused"],
  approved: ["done", "benefit.approved"],
  withdrawn: ["stopped", "benefit.withdrawn"],
};

/** phaseState shows the phase. Open is calm: nothing has to be done. */
export function phaseState(b: Benefit, t: Told): HTMLElement {
  const phase = phaseOf(b, t);
  if (phase === "open") return state("waiting", openUntil(b.answer_by ?? ""));
  const [s, key] = looks[phase];
  return state(s, phrase(key));
}

function openUntil(iso: string): Phrase {
  if (iso === "") return phrase("answer.can");
  const left = daysUntil(iso);
  if (left === 0) return phrase("benefit.open_today", { day: day(iso) });
  if (left === 1) return phrase("benefit.open_tomorrow", { day: day(iso) });
  return phrase("benefit.open", { day: day(iso), n: dayCount(left) });
}

/**
 * due says by when a notice asks for something, undefined where it does not. Of a notice about
 * a benefit that the phone knows, how the benefit stands: its day is over once it is settled.
 */
export function due(n: Notice, t: Told, benefits: readonly Benefit[]): HTMLElement | undefined {
  const b = benefits.find((x) => x.id === n.about?.id);
  if (b !== undefined && phaseOf(b, t) !== "unread") return phaseState(b, t);
  return n.deadline ? deadline(n.deadline) : undefined;
}
