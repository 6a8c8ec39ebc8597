// Back from the provider. The code leaves the address bar before anything else happens.

import type { Problem } from "../contract";
import { h, type Child } from "../dom";
import { Refused, Unreachable } from "../http";
import { bigLink, counterCard, needsLine, progress, reference } from "../pieces";
import { visit as go } from "../router";
import type { Draw, Screen } from "../screen";
import { signInButton } from "../sign-in-button";
import { begun, finish } from "../signin";
import { state } from "../state";
import { sync } from "../sync";
import { phrase, w, type Key } from "../words";

export const signIn: Draw = async (visit) => {
  const code = visit.query.get("code");
  const given = visit.query.get("state");
  history.replaceState(null, "", "/app/sign-in");
  if (visit.query.has("error")) return again("sign_in.cancelled");
  if (code === null || given === null) return fresh();
  if (!begun()) return again("sign_in.other_tab");
  const box = h("div", { class: "acts" }, progress("sign_in.finishing"));
  void settle(box, code, given);
  return page([box]);
};

async function settle(box: HTMLElement, code: string, given: string): Promise<void> {
  try {
    const back = await finish(code, given);
    void sync();
    await go(back, "replace");
  } catch (e) {
    box.replaceChildren(...outcome(e));
    document.querySelector<HTMLElement>("h1")?.focus();
  }
}

function outcome(e: unknown): readonly Node[] {
  if (e instanceof Refused && e.problem.code === "identity_unlinked") return unlinked(e.problem);
  const key: Key = e instanceof Unreachable ? "sign_in.no_answer" : "sign_in.failed";
  return trouble(key, e instanceof Refused ? reference(e.problem.trace) : null);
}

/** unlinked: the card is fine, but it is not clear which resident this is. */
function unlinked(p: Problem): readonly Node[] {
  return [
    h("p", { class: "note" }, state("attention", phrase("unlinked.title"))),
    h("p", {}, w("unlinked.why")),
    h("p", {}, w("unlinked.what")),
    ...(p.counter ? [counterCard(p.counter)] : [h("p", {}, w("counter.any"))]),
    ...(p.trace ? [h("p", { class: "small" }, w("refused.reference", { trace: p.trace }))] : []),
    h("p", {}, bigLink("/app/", "back.start")),
  ];
}

const page = (nodes: readonly Node[]): Screen => ({ title: phrase("sign_in.title"), nodes, still: true, bare: true });

function trouble(key: Key, ...more: Child[]): readonly Node[] {
  return [
    h("div", { class: "acts" }, h("p", { class: "note" }, state("stopped", phrase(key))), ...more, signInButton("/app/")),
    h("p", {}, h("a", { href: "/app/counter" }, w("welcome.counter"))),
  ];
}

const again = (key: Key): Screen => page(trouble(key));

const fresh = (): Screen =>
  page([h("div", { class: "acts" }, needsLine() ?? "", h("p", {}, w("welcome.card")), signInButton("/app/"))]);
