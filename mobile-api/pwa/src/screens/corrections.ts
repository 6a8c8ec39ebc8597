// The corrections that were asked for, newest first, and what was begun and not sent.

import type { Correction, Me } from "../contract";
import { day, dayOf } from "../dates";
import { h } from "../dom";
import { draft } from "../drafts";
import { get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { age, back, bigLink, personName, row } from "../pieces";
import type { Draw } from "../screen";
import { state, type State } from "../state";
import { phrase, show, w, type Key } from "../words";

export const corrections: Draw = async () => {
  const kept = await get<Dated<readonly Correction[]>>("corrections");
  const me = (await get<Dated<Me>>("me"))?.value;
  const waits = await draft();
  const frame = { title: phrase("corrections.title"), above: back("/app/certificates", "back.certificates") };
  if (kept === undefined && waits === undefined) return { ...frame, nodes: loading() };
  const list = kept?.value ?? [];
  return {
    ...frame,
    nodes: [
      h("p", {}, w("corrections.lead")),
      ...(waits ? [h("div", { class: "note", id: "waits" },
        state("waiting", phrase("corrections.draft")),
        h("p", {}, w(lineUp() ? "corrections.draft.line" : "correct.waits")),
        bigLink("/app/corrections/new", "corrections.go_on", "go-on"))] : []),
      list.length > 0 ? h("ul", { class: "rows" }, ...list.map((c) => line(c, me))) : h("p", {}, w("corrections.none")),
      h("p", {}, h("a", { href: "/app/corrections/new", class: waits ? "button second" : "button", id: "correct" }, w("correct.title"))),
      ...[kept ? age(kept.at) : null].filter((x) => x !== null),
    ],
  };
};

const looks: { readonly [s in Correction["state"]]: readonly [State, Key] } = {
  open: ["busy", "correction.open"],
  corrected: ["done", "correction.corrected"],
  nothing_to_correct: ["done", "correction.nothing"],
};

/** correctionState shows how it stands; a state that this app does not know is still looked into. */
export function correctionState(c: Correction): HTMLElement {
  const [s, key] = looks[c.state] ?? looks.open;
  return state(s, phrase(key));
}

function line(c: Correction, me: Me | undefined): HTMLElement {
  const p = me?.people.find((x) => x.id === c.person);
  return row(`/app/corrections/${c.reference}`, `correction-${c.reference}`,
    h("span", { class: "row-title" }, w(`correct.kind.${c.kind}`)),
    p && h("span", {}, personName(p)),
    correctionState(c),
    h("span", { class: "small" }, w("correction.asked", { day: day(dayOf(c.asked_at)) }), h("span", { class: "block" }, show(phrase("correction.number", { reference: c.reference })))));
}
