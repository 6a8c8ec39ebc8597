// Asking for a certificate, for oneself or a child. For abroad the passport's two lines can
// go with it: they are tested here, sent once, and not kept.

import type { Certificate, Me, Problem, Use } from "../contract";
import { api } from "../api";
import { keepCertificate } from "../certificates";
import { h } from "../dom";
import { hearWhile, tell } from "../events";
import { Refused, Unreachable } from "../http";
import { get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { finished, keyFor } from "../once";
import { passport, type Passport } from "../passport";
import { back, counterCard, needsLine, personChoices, progress, reference, refusalWords } from "../pieces";
import { visit as go } from "../router";
import type { Draw } from "../screen";
import { session } from "../session";
import { say } from "../shell";
import { state } from "../state";
import { phrase, show, w } from "../words";

const uses: readonly Use[] = ["domestic", "overseas"];

/** Form is what the act needs of the page. */
interface Form {
  readonly me: Me;
  readonly button: HTMLButtonElement;
  readonly outcome: HTMLElement;
  readonly passport: Passport;
}

export const ask: Draw = async (visit) => {
  const me = (await get<Dated<Me>>("me"))?.value;
  const title = phrase("ask.title");
  const above = back("/app/certificates", "back.certificates");
  if (me === undefined) return { title, above, nodes: loading() };
  const form: Form = {
    me,
    button: h("button", { type: "submit", class: "button", id: "issue" }, w("ask.submit")),
    outcome: h("div", { "aria-live": "polite" }),
    passport: passport(),
  };
  const chosen = visit.query.get("person") ?? me.people[0]?.id ?? "";
  const use = visit.query.get("use") === "overseas" ? "overseas" : "domestic";
  const empty = form.passport.clear;
  window.addEventListener("pagehide", empty); // a page that is kept for the way back keeps no passport
  const leave = (): void => {
    window.removeEventListener("pagehide", empty);
    empty();
  };
  return {
    title, above, still: true, leave, unused: leave,
    nodes: [element(form, chosen, use)],
  };
};

function element(f: Form, chosen: string, use: Use): HTMLElement {
  const gate = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "ask", novalidate: true },
    personChoices(f.me, chosen, "ask.person"),
    h("fieldset", { class: "choices" }, h("legend", {}, w("ask.use")), ...uses.map((u) => useChoice(u, u === use))),
    f.passport.box,
    gate,
    f.button,
    f.outcome);
  const answers = (): { person: string; use: Use } => {
    const data = new FormData(form);
    return { person: String(data.get("person")), use: String(data.get("use")) as Use };
  };
  f.passport.box.hidden = use !== "overseas";
  form.addEventListener("change", () => {
    f.passport.box.hidden = answers().use !== "overseas";
  });
  const look = (): void => {
    f.button.disabled = !lineUp() || session() !== "in";
    gate.replaceChildren(needsLine() ?? "");
  };
  look();
  hearWhile(form, "line", look);
  hearWhile(form, "session", look);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const { person, use } = answers();
    if (f.button.disabled || (use === "overseas" && !f.passport.check())) return;
    void issue(f, person, use);
  });
  return form;
}

function useChoice(u: Use, checked: boolean): HTMLElement {
  return h("label", { class: "choice" },
    h("input", { type: "radio", name: "use", value: u, id: `use-${u}`, checked }),
    h("span", {}, h("strong", {}, w(`use.${u}`)), h("span", { class: "small block" }, w(`use.${u}.where`))));
}

async function issue(f: Form, person: string, use: Use): Promise<void> {
  f.button.disabled = true;
  f.outcome.replaceChildren(progress("ask.running"));
  const act = `ask-${person}-${use}`;
  const [upper, lower] = f.passport.lines();
  const mrz = use === "overseas" && upper + lower !== "" ? { mrz: [upper, lower] } : {};
  const body = { person, use, ...mrz };
  try {
    const headers = { "Idempotency-Key": await keyFor(act, body) };
    const a = await api({ method: "POST", path: "/v1/certificates", headers, body });
    await finished(act);
    f.passport.clear();
    const c = a.body as Certificate;
    await keepCertificate(c);
    say(phrase("ask.done"));
    await go(`/app/certificates/${c.id}`, "replace");
    tell("data");
  } catch (e) {
    f.button.disabled = false;
    if (e instanceof Refused && e.problem.status < 500) await finished(act);
    failed(f, e, person);
  }
}

function failed(f: Form, e: unknown, person: string): void {
  if (!(e instanceof Refused)) {
    f.button.focus({ preventScroll: true });
    f.outcome.replaceChildren(h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "ask.no_answer" : "refused.other"))));
    return;
  }
  const line = lineOf(e.problem);
  f.outcome.replaceChildren(refusal(e.problem, f.me, person, line !== undefined));
  if (line !== undefined) f.passport.refuse(line, e.problem.reason ?? "");
  else f.outcome.querySelector<HTMLElement>("#refusal")?.focus();
}

/** lineOf is the passport's line that the server refused. */
function lineOf(p: Problem): 0 | 1 | undefined {
  const place = (p.places ?? []).find((x) => x.startsWith("body.mrz"));
  if (place === undefined) return undefined;
  return place === "body.mrz.0" ? 0 : 1;
}

/** refusal: why, what to quote, whom to ask, and the next step where a correction helps. */
function refusal(p: Problem, me: Me, person: string, ofPassport: boolean): HTMLElement {
  const kind = p.correction ?? (p.code === "no_record" ? "missing" : undefined);
  return h("div", { class: "refusal" },
    h("p", { id: "refusal", tabindex: -1 }, state("stopped", phrase("refused.title"))),
    h("p", { id: "reason" }, ofPassport ? w("refused.passport") : show(refusalWords(p.code))),
    reference(p.reference ?? p.trace),
    kind && h("p", {}, w("refused.correct")),
    kind && h("a", { href: `/app/corrections/new?person=${person}&kind=${kind}`, class: "button second", id: "correct" }, w("correct.title")),
    p.status < 500 && counterCard(p.counter ?? me.counter));
}
