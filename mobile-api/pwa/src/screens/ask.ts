// Asking for a certificate, for oneself or a child.

import type { Certificate, Me, Person, Problem, Use } from "../contract";
import { api } from "../api";
import { h } from "../dom";
import { hearWhile, tell } from "../events";
import { Refused, Unreachable } from "../http";
import { change, get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { finished, keyOf } from "../once";
import { back, counterCard, needsLine, personName, progress, reference, refusalWords } from "../pieces";
import { visit as go } from "../router";
import type { Draw } from "../screen";
import { session } from "../session";
import { say } from "../shell";
import { state } from "../state";
import { phrase, show, w } from "../words";

const uses: readonly Use[] = ["domestic", "overseas"];

export const ask: Draw = async (visit) => {
  const me = (await get<Dated<Me>>("me"))?.value;
  const title = phrase("ask.title");
  const above = back("/app/certificates", "back.certificates");
  if (me === undefined) return { title, above, nodes: loading() };
  const chosen = visit.query.get("person") ?? me.people[0]?.id;
  const use = visit.query.get("use") === "overseas" ? "overseas" : "domestic";
  const outcome = h("div", { "aria-live": "polite" });
  const gate = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "submit", class: "button", id: "issue" }, w("ask.submit"));
  const form = h("form", { class: "ask" },
    h("fieldset", { class: "choices" }, h("legend", {}, w("ask.person")), ...me.people.map((p) => person(p, p.id === chosen))),
    h("fieldset", { class: "choices" }, h("legend", {}, w("ask.use")), ...uses.map((u) => useChoice(u, u === use))),
    gate,
    button,
    outcome);
  const look = (): void => {
    button.disabled = !lineUp() || session() !== "in";
    gate.replaceChildren(needsLine() ?? "");
  };
  look();
  hearWhile(form, "line", look);
  hearWhile(form, "session", look);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const answers = new FormData(form);
    void issue(form, outcome, String(answers.get("person")), String(answers.get("use")) as Use, me);
  });
  return { title, above, nodes: [form], still: true };
};

function person(p: Person, checked: boolean): HTMLElement {
  return h("label", { class: "choice" },
    h("input", { type: "radio", name: "person", value: p.id, id: `for-${p.id}`, checked }),
    h("span", {}, personName(p), " ", h("span", { class: "small" }, w(`relation.${p.relation}`))));
}

function useChoice(u: Use, checked: boolean): HTMLElement {
  return h("label", { class: "choice" },
    h("input", { type: "radio", name: "use", value: u, id: `use-${u}`, checked }),
    h("span", {}, h("strong", {}, w(`use.${u}`)), h("span", { class: "small block" }, w(`use.${u}.where`))));
}

async function issue(form: HTMLFormElement, outcome: HTMLElement, person: string, use: Use, me: Me): Promise<void> {
  const button = form.querySelector<HTMLButtonElement>("#issue");
  if (button !== null) button.disabled = true;
  outcome.replaceChildren(progress("ask.running"));
  const act = `ask-${person}-${use}`;
  try {
    const headers = { "Idempotency-Key": await keyOf(act) };
    const a = await api({ method: "POST", path: "/v1/certificates", headers, body: { person, use } });
    await finished(act);
    const c = a.body as Certificate;
    await keepCertificate(c);
    say(phrase("ask.done"));
    await go(`/app/certificates/${c.id}`, "replace");
    tell("data");
  } catch (e) {
    if (button !== null) button.disabled = false;
    if (e instanceof Refused && e.problem.status < 500) await finished(act);
    outcome.replaceChildren(...(e instanceof Refused ? refusal(e.problem, me) : [lost(e)]));
  }
}

/** keepCertificate puts it first; the list's ETag no longer fits. */
async function keepCertificate(c: Certificate): Promise<void> {
  await change<Dated<readonly Certificate[]>>("certificates", (old) => ({
    value: [c, ...(old?.value ?? []).filter((x) => x.id !== c.id)],
    at: Date.now(),
  }));
}

function refusal(p: Problem, me: Me): readonly Node[] {
  return [
    h("div", { class: "refusal" },
      h("p", {}, state("stopped", phrase("refused.title"))),
      h("p", { id: "reason" }, show(refusalWords(p.code))),
      reference(p.trace),
      p.status < 500 && counterCard(p.counter ?? me.counter)),
  ];
}

const lost = (e: unknown): HTMLElement =>
  h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "ask.no_answer" : "refused.other")));
