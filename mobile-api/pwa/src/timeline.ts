// The days of a benefit: what happened, and what is planned.

import type { Benefit, Milestone } from "./contract";
import { day, daysUntil } from "./dates";
import { h } from "./dom";
import { group } from "./pieces";
import { state } from "./state";
import { phrase, show, type Key } from "./words";

const names: { readonly [w in Milestone["what"]]: Key } = {
  decided: "timeline.decided", noticed: "timeline.noticed", delivered: "timeline.delivered", deadline: "timeline.deadline",
  refused: "timeline.refused", approved: "timeline.approved", payment: "timeline.payment", withdrawn: "timeline.withdrawn",
};

/** timeline is in the order in which the server tells the days. The last day to answer is not over while it lasts. */
export function timeline(b: Benefit): HTMLElement | null {
  const days = (b.timeline ?? []).filter((m) => m.what in names);
  if (days.length === 0) return null;
  return group("timeline", "benefit.timeline", h("ol", { class: "timeline" }, ...days.map(milestone)));
}

function milestone(m: Milestone): HTMLElement {
  const left = daysUntil(m.on);
  const ahead = m.what === "deadline" || m.what === "payment" ? left >= 0 : left > 0;
  return h("li", {}, state(ahead ? "waiting" : "done", phrase(names[m.what])), h("span", { class: "small" }, show(day(m.on))));
}
