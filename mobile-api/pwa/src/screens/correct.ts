// Asking for a correction of a vaccination record, in one's own words. What is written is
// kept on the phone until the office has it.

import type { Certificate, Correction, CorrectionKind, Dose, Me, Problem } from "../contract";
import { api } from "../api";
import { day } from "../dates";
import { h } from "../dom";
import { draft, forgetDraft, keepDraft, type Draft } from "../drafts";
import { hearWhile, tell } from "../events";
import { Refused, Unreachable } from "../http";
import { change, get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { finished, keyFor } from "../once";
import { back, counterCard, personChoices, progress, reference, refusalWords } from "../pieces";
import { visit as go } from "../router";
import type { Draw, Visit } from "../screen";
import { session } from "../session";
import { say } from "../shell";
import { state } from "../state";
import { phrase, show, w } from "../words";

const kinds: readonly CorrectionKind[] = ["missing", "wrong", "name"];
const most = 1000; // characters that the server takes
const act = "correction";

/** Choice is one dose of a certificate that a correction can be about. */
interface Choice {
  readonly about: string;
  readonly person: string;
  readonly dose: Dose;
}

interface Form {
  readonly me: Me;
  readonly choices: readonly Choice[];
  readonly from: string; // the certificate from which the form was opened, or ""
  readonly words: HTMLTextAreaElement;
  readonly fault: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly outcome: HTMLElement;
}

export const correct: Draw = async (visit) => {
  const me = (await get<Dated<Me>>("me"))?.value;
  const title = phrase("correct.title");
  const above = back("/app/corrections", "corrections.title");
  if (me === undefined) return { title, above, nodes: loading() };
  const all = (await get<Dated<readonly Certificate[]>>("certificates"))?.value ?? [];
  const begun = asked(visit, all, me, await draft());
  const form: Form = {
    me,
    choices: dosesOf(all),
    from: all.find((x) => x.id === visit.query.get("certificate"))?.id ?? "",
    words: h("textarea", { id: "words", rows: 5, "aria-describedby": "words-hint words-count words-fault", autocomplete: "off" }),
    fault: h("div", { class: "fault", id: "words-fault", "aria-live": "polite" }),
    button: h("button", { type: "submit", class: "button", id: "send" }, w("correct.submit")),
    outcome: h("div", { "aria-live": "polite" }),
  };
  form.words.value = begun.words;
  return { title, above, still: true, nodes: [h("p", {}, w("correct.lead")), element(form, begun)] };
};

/** asked is where the form begins: with what the address names, else with what was begun before. */
function asked(visit: Visit, all: readonly Certificate[], me: Me, kept: Draft | undefined): Draft {
  const c = all.find((x) => x.id === visit.query.get("certificate"));
  const kind = kinds.find((k) => k === visit.query.get("kind"));
  return {
    person: c?.person ?? visit.query.get("person") ?? kept?.person ?? me.people[0]?.id ?? "",
    kind: kind ?? (c ? "wrong" : (kept?.kind ?? "missing")),
    about: kept?.about ?? "",
    words: kept?.words ?? "",
  };
}

/** dosesOf: every dose once, of the newest certificate that states it. */
function dosesOf(all: readonly Certificate[]): readonly Choice[] {
  const out: Choice[] = [];
  for (const c of all) {
    for (const d of c.doses) {
      if (!out.some((x) => x.person === c.person && x.dose.on === d.on && x.dose.product === d.product)) {
        out.push({ about: `${c.id}/${d.number}`, person: c.person, dose: d });
      }
    }
  }
  return out.sort((a, b) => a.dose.on.localeCompare(b.dose.on));
}

function element(f: Form, begun: Draft): HTMLElement {
  const which = h("div", {});
  const count = h("p", { class: "small", id: "words-count" });
  const gate = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "ask", novalidate: true },
    personChoices(f.me, begun.person, "correct.person"),
    h("fieldset", { class: "choices" }, h("legend", {}, w("correct.kind")), ...kinds.map((k) => kindChoice(k, k === begun.kind))),
    which,
    h("div", { class: "field" },
      h("label", { for: "words" }, w("correct.words")),
      h("p", { class: "small", id: "words-hint" }, w("correct.words.hint")),
      f.words, count, f.fault),
    gate, f.button, f.outcome);
  const answers = (): Draft => {
    const data = new FormData(form);
    return {
      person: String(data.get("person")), kind: String(data.get("kind")) as CorrectionKind,
      about: String(data.get("about") ?? ""), words: f.words.value,
    };
  };
  const redraw = (): void => {
    const d = answers();
    const choices = doseChoices(f.choices, d.person, d.kind, d.about || begun.about);
    which.hidden = choices === null;
    which.replaceChildren(choices ?? "");
  };
  const counted = (): void => count.replaceChildren(w("correct.count", { n: [...f.words.value].length, all: most }));
  redraw();
  counted();
  form.addEventListener("change", (e) => {
    if (e.target instanceof HTMLInputElement && e.target.name !== "about") redraw();
    void keepDraft(answers());
  });
  form.addEventListener("input", () => {
    counted();
    f.fault.replaceChildren();
    f.words.removeAttribute("aria-invalid");
    void keepDraft(answers());
  });
  const look = (): void => {
    f.button.disabled = !lineUp() || session() !== "in";
    gate.replaceChildren(lineUp() ? "" : h("p", { class: "note", id: "needs-line" }, state("waiting", phrase("correct.waits"))));
  };
  look();
  hearWhile(form, "line", look);
  hearWhile(form, "session", look);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (!f.button.disabled && wellSaid(f)) void send(f, answers());
  });
  return form;
}

function kindChoice(k: CorrectionKind, checked: boolean): HTMLElement {
  return h("label", { class: "choice" },
    h("input", { type: "radio", name: "kind", value: k, id: `kind-${k}`, checked }),
    h("span", {}, h("strong", {}, w(`correct.kind.${k}`)), h("span", { class: "small block" }, w(`correct.kind.${k}.what`))));
}

/** doseChoices asks which dose is wrong, where the phone knows of any. */
function doseChoices(all: readonly Choice[], person: string, kind: CorrectionKind, about: string): HTMLElement | null {
  const own = all.filter((x) => x.person === person);
  if (kind !== "wrong" || own.length === 0) return null;
  const one = (value: string, id: string, ...words: Node[]): HTMLElement =>
    h("label", { class: "choice" }, h("input", { type: "radio", name: "about", value, id, checked: value === chosen }), h("span", {}, ...words));
  const chosen = own.some((x) => x.about === about) ? about : "";
  return h("fieldset", { class: "choices", id: "doses" }, h("legend", {}, w("correct.dose")),
    ...own.map((x, i) => one(x.about, `dose-${i}`,
      h("strong", {}, w("certificate.dose", { n: x.dose.number })), h("span", {}, " ", show(day(x.dose.on))),
      h("span", { class: "small block" }, w("certificate.product", { product: x.dose.product, lot: x.dose.lot })))),
    one("", "dose-none", w("correct.dose.none")));
}

function wellSaid(f: Form): boolean {
  const n = [...f.words.value].length;
  if (f.words.value.trim() !== "" && n <= most) return true;
  complain(f, phrase(n > most ? "correct.too_long" : "correct.empty", { n: most }));
  return false;
}

function complain(f: Form, words: ReturnType<typeof phrase>): void {
  f.words.setAttribute("aria-invalid", "true");
  f.fault.replaceChildren(h("p", {}, state("attention", words)));
  f.words.focus();
}

async function send(f: Form, d: Draft): Promise<void> {
  f.button.disabled = true;
  f.outcome.replaceChildren(progress("answer.running"));
  const [chosen, dose] = d.kind === "wrong" ? d.about.split("/") : [];
  const certificate = chosen || (d.kind === "wrong" ? f.from : "");
  const body = { person: d.person, kind: d.kind, words: d.words, ...(certificate ? { certificate } : {}), ...(chosen ? { dose: Number(dose) } : {}) };
  try {
    const a = await api({ method: "POST", path: "/v1/corrections", headers: { "Idempotency-Key": await keyFor(act, body) }, body });
    await finished(act);
    await forgetDraft();
    const got = a.body as Correction;
    await change<Dated<readonly Correction[]>>("corrections", (old) => ({
      value: [got, ...(old?.value ?? []).filter((x) => x.reference !== got.reference)], at: Date.now(),
    }));
    say(phrase("correct.done"));
    await go(`/app/corrections/${got.reference}`, "replace");
    tell("data");
  } catch (e) {
    f.button.disabled = false;
    if (e instanceof Refused && e.problem.status < 500) await finished(act);
    failed(f, e);
  }
}

function failed(f: Form, e: unknown): void {
  f.outcome.replaceChildren();
  if (e instanceof Refused && e.problem.code === "my_number_refused") {
    complain(f, phrase("refused.my_number"));
    return;
  }
  f.outcome.replaceChildren(e instanceof Refused ? refusal(e.problem, f.me) : h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "answer.no_answer" : "refused.other"))));
  f.button.focus({ preventScroll: true });
}

function refusal(p: Problem, me: Me): HTMLElement {
  return h("div", { class: "refusal" },
    h("p", {}, state("stopped", phrase("answer.failed"))),
    h("p", { id: "reason" }, show(refusalWords(p.code))),
    reference(p.reference ?? p.trace),
    p.status < 500 && counterCard(p.counter ?? me.counter));
}
