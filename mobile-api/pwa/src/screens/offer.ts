// An offer of support. It looks like any notice: what, from whom, what it costs, how to say
// yes and how to say no. The answer can be changed until the offer closes.

import type { Answer, Me, Notice, Offer, Problem } from "../contract";
import { api } from "../api";
import { noticeFor, told } from "../benefits";
import { h } from "../dom";
import { Refused, Unreachable } from "../http";
import { get, type Dated } from "../keep";
import { lineUp } from "../line";
import { loading } from "../loading";
import { age, back, counterCard, group, needsLine, progress, reference, refusalWords, sentence, sentenceIn } from "../pieces";
import { visit as go } from "../router";
import type { Draw, Screen } from "../screen";
import { session } from "../session";
import { focusOnceDrawn, say } from "../shell";
import { state } from "../state";
import { fetchOne, keepOne } from "../sync";
import { phrase, show, tag, w, type Key } from "../words";

/** Under way, or with a failure in sight: the page is not drawn anew by itself. */
let busy = "";

export const offer: Draw = async (visit) => {
  const kept = await get<Dated<readonly Offer[]>>("offers");
  const o = kept?.value.find((x) => x.id === visit.id);
  if (kept === undefined || o === undefined) return unknown(visit.id, kept !== undefined);
  return page(o, (await get<Dated<Me>>("me"))?.value, noticeFor(o.id, await told()), kept.at);
};

/** unknown asks the server once more: a push may be faster than the list. */
function unknown(id: string, listed: boolean): Screen {
  if (listed) void fetchOne("offers", id);
  return { title: phrase("offer.title"), above: back("/app/notices", "back.notices"), nodes: listed ? [h("p", {}, w("offer.unknown"))] : loading() };
}

function page(o: Offer, me: Me | undefined, notice: Notice | undefined, at: number): Screen {
  const name = sentenceIn(o.name);
  const part = (key: Key, of: Offer["what"]): HTMLElement => h("div", {}, h("dt", {}, w(key)), h("dd", {}, sentence(of)));
  return {
    title: [name.text],
    ownHeading: true,
    above: back("/app/notices", "back.notices"),
    get still() {
      return busy === o.id;
    },
    leave: () => {
      busy = "";
    },
    nodes: [
      h("article", { class: "notice" },
        h("h1", { tabindex: -1, lang: tag(name.language) }, name.text),
        h("dl", { class: "facts-list" }, part("offer.what", o.what), part("offer.from", o.from), part("offer.cost", o.cost), part("offer.how", o.how)),
        group("answer", "offer.answer", ...(o.open ? answering(o, me) : closed(o))),
        notice && h("p", {}, h("a", { href: `/app/notices/${notice.id}`, id: "read-notice", class: "with-icon" }, w("benefit.read_notice"))),
        me && counterCard(me.counter),
        age(at)),
    ],
  };
}

const answered: { readonly [a in Answer]: Key } = { accepted: "offer.accepted", declined: "offer.declined" };

const standing = (o: Offer): HTMLElement | null => (o.answer ? h("p", { id: "answered", tabindex: -1 }, state("done", phrase(answered[o.answer]))) : null);

function answering(o: Offer, me: Me | undefined): readonly (Node | null)[] {
  const outcome = h("div", { "aria-live": "polite" });
  const disabled = !lineUp() || session() !== "in";
  const button = (a: Answer, key: Key): HTMLButtonElement =>
    h("button", { type: "button", class: "button second", id: `answer-${a}`, disabled: disabled || o.answer === a, on: { click: () => void send(o, a, outcome, me) } }, w(key));
  return [
    standing(o),
    h("p", {}, w("offer.free")),
    needsLine(),
    h("div", { class: "acts", id: "answers" }, button("accepted", "offer.yes"), button("declined", "offer.no")),
    h("p", { class: "small" }, w("offer.change")),
    outcome,
  ];
}

const closed = (o: Offer): readonly (Node | null)[] => [
  standing(o),
  h("p", {}, state("stopped", phrase("offer.closed"))),
  h("p", {}, w("offer.closed_call")),
];

async function send(o: Offer, answer: Answer, outcome: HTMLElement, me: Me | undefined): Promise<void> {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>("#answers button")];
  const able = buttons.filter((b) => !b.disabled);
  busy = o.id;
  for (const b of buttons) b.disabled = true;
  outcome.replaceChildren(progress("answer.running"));
  try {
    const a = await api({ method: "PUT", path: `/v1/offers/${encodeURIComponent(o.id)}/answer`, body: { answer } });
    focusOnceDrawn("answered"); // the button that had the focus cannot be pressed any more
    await keepOne("offers", a.body as Offer);
    busy = "";
    say(phrase("offer.done"));
    await go(location.pathname, "replace");
  } catch (e) {
    const final = e instanceof Refused && [403, 404, 409].includes(e.problem.status);
    for (const b of able) b.disabled = final;
    if (!final) document.getElementById(`answer-${answer}`)?.focus({ preventScroll: true });
    outcome.replaceChildren(e instanceof Refused ? refusal(e.problem, me) : h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "answer.no_answer" : "refused.other"))));
    if (final) void fetchOne("offers", o.id);
  }
}

function refusal(p: Problem, me: Me | undefined): HTMLElement {
  const counter = p.counter ?? me?.counter;
  return h("div", { class: "refusal" },
    h("p", {}, state("stopped", phrase("answer.failed"))),
    h("p", { id: "reason" }, p.status === 409 ? w("offer.closed") : show(refusalWords(p.code))),
    reference(p.trace),
    p.status < 500 && counter ? counterCard(counter) : null);
}
