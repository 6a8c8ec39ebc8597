// Saying no to a benefit, after saying what that does. The act keeps its key until it has an
// outcome, so that pressing again after a lost answer is safe.

import type { Benefit, Me, Problem } from "../contract";
import { api } from "../api";
import { refusable, type Told } from "../benefits";
import { h } from "../dom";
import { tell } from "../events";
import { Refused, Unreachable } from "../http";
import { lineUp } from "../line";
import { finished, keyOf } from "../once";
import { back, counterCard, money, needsLine, progress, reference, refusalWords, sentence } from "../pieces";
import { visit as go } from "../router";
import type { Screen } from "../screen";
import { session } from "../session";
import { say } from "../shell";
import { state } from "../state";
import { fetchOne, keepOne } from "../sync";
import { phrase, show, w } from "../words";

/** Under way, or with an outcome in sight: the page is not drawn anew by itself. */
let busy = "";

export function refuse(b: Benefit, t: Told, me: Me | undefined): Screen {
  const here = `/app/benefits/${b.id}`;
  const title = phrase("refuse.title");
  const above = back(here, "benefits.title");
  if (!refusable(b, t)) {
    const key = b.state === "refused" ? "benefit.refused" : "refuse.not_now";
    return { title, above, nodes: [h("p", {}, state(b.state === "refused" ? "done" : "stopped", phrase(key))), ...(me ? [counterCard(me.counter)] : [])] };
  }
  const outcome = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "button", class: "button stop", id: "refuse", disabled: !lineUp() || session() !== "in" }, w("refuse.submit"));
  button.addEventListener("click", () => void send(b, button, outcome, me));
  return {
    title,
    above,
    get still() {
      return busy === b.id;
    },
    leave: () => {
      busy = "";
    },
    nodes: [
      h("p", {}, h("strong", {}, sentence(b.name)), b.amount === undefined ? null : h("span", { class: "block" }, show(money(b.amount)))),
      h("p", {}, w("refuse.what")),
      h("ul", { class: "plain" }, h("li", {}, w("refuse.unpaid")), h("li", {}, w("refuse.others")), h("li", {}, w("refuse.undo"))),
      h("div", { class: "acts" }, needsLine(), button, h("a", { href: here, class: "button second", id: "keep" }, w("refuse.keep")), outcome),
      ...(lineUp() ? [] : hurry(me)),
    ],
  };
}

/** hurry says who takes the answer while there is no line. */
function hurry(me: Me | undefined): readonly Node[] {
  return [h("p", {}, w("refuse.hurry")), ...(me ? [counterCard(me.counter)] : [])];
}

async function send(b: Benefit, button: HTMLButtonElement, outcome: HTMLElement, me: Me | undefined): Promise<void> {
  const act = `refuse-${b.id}`;
  busy = b.id;
  button.disabled = true;
  outcome.replaceChildren(progress("answer.running"));
  try {
    const headers = { "Idempotency-Key": await keyOf(act) };
    const a = await api({ method: "POST", path: `/v1/benefits/${encodeURIComponent(b.id)}/refusal`, headers });
    await finished(act);
    await keepOne("benefits", a.body as Benefit);
    busy = "";
    say(phrase("refuse.done"));
    await go(`/app/benefits/${b.id}`, "replace");
    tell("data");
  } catch (e) {
    if (e instanceof Refused && e.problem.status < 500) await finished(act);
    failed(e, b.id, button, outcome, me);
  }
}

function failed(e: unknown, id: string, button: HTMLButtonElement, outcome: HTMLElement, me: Me | undefined): void {
  const final = e instanceof Refused && [403, 404, 409].includes(e.problem.status);
  button.disabled = final;
  if (!final) button.focus({ preventScroll: true }); // it lost the focus while the act was under way
  outcome.replaceChildren(e instanceof Refused ? refusal(e.problem, me) : h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "answer.no_answer" : "refused.other"))));
  if (final) void fetchOne("benefits", id); // how it stands by now; this page stays until it is left
}

function refusal(p: Problem, me: Me | undefined): HTMLElement {
  const counter = p.counter ?? me?.counter;
  const late = p.status === 409 && (p.places ?? []).includes("deadline");
  return h("div", { class: "refusal" },
    h("p", {}, state("stopped", phrase("answer.failed"))),
    h("p", { id: "reason" }, late ? w("refuse.over") : show(p.status === 409 ? phrase("refuse.not_now") : refusalWords(p.code))),
    reference(p.trace),
    p.status < 500 && counter ? counterCard(counter) : null);
}
