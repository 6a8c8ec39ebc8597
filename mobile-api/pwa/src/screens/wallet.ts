// Putting a copy into a wallet app. The offer and its number stand on this screen alone:
// they are not kept, and when their time is over a new one is made.

import type { Certificate, Problem, WalletOffer } from "../contract";
import { api } from "../api";
import { askAgain, type Standing } from "../certificates";
import { clockTime } from "../dates";
import { h } from "../dom";
import { hearWhile } from "../events";
import { Refused, Unreachable } from "../http";
import { lineUp } from "../line";
import { finished, keyOf } from "../once";
import { back, needsLine, progress, reference, refusalWords } from "../pieces";
import type { Screen } from "../screen";
import { session } from "../session";
import { say } from "../shell";
import { state } from "../state";
import { phrase, show, t, w } from "../words";

const scheme = "openid-credential-offer://";
const second = 1000;
const minute = 60 * second;

export function wallet(c: Certificate, stands: Standing): Screen {
  const here = `/app/certificates/${c.id}`;
  const frame = { title: phrase("wallet.title"), above: back(here, "certificate.title") };
  if (stands !== "good") return { ...frame, nodes: [h("p", {}, state("stopped", phrase("wallet.not_this"))), again(c)] };
  const gate = h("div", { "aria-live": "polite" });
  const outcome = h("div", { "aria-live": "polite", id: "offer" });
  const button = h("button", { type: "button", class: "button", id: "make-offer" }, w("wallet.make"));
  let tick = 0;
  const look = (): void => {
    button.disabled = !lineUp() || session() !== "in";
    gate.replaceChildren(needsLine() ?? "");
  };
  look();
  hearWhile(gate, "line", look);
  hearWhile(gate, "session", look);
  button.addEventListener("click", () => {
    void make(c, button, outcome).then((o) => {
      window.clearInterval(tick);
      if (o !== undefined) tick = window.setInterval(() => age(o, button, outcome, tick), second);
    });
  });
  return {
    ...frame,
    still: true, // an offer in sight is not drawn away
    leave: () => window.clearInterval(tick),
    nodes: [h("p", {}, w("wallet.what")), h("p", { class: "small" }, w("wallet.need")), h("div", { class: "acts" }, gate, button), outcome],
  };
}

const again = (c: Certificate): HTMLElement => h("p", {}, h("a", { href: askAgain(c), class: "button", id: "reissue" }, w("certificate.reissue")));

/** make asks for an offer; a lost answer may be asked for again and gives the same one. */
async function make(c: Certificate, button: HTMLButtonElement, outcome: HTMLElement): Promise<WalletOffer | undefined> {
  const act = `wallet-${c.id}`;
  button.disabled = true;
  outcome.replaceChildren(progress("wallet.running"));
  try {
    const headers = { "Idempotency-Key": await keyOf(act) };
    const a = await api({ method: "POST", path: `/v1/certificates/${encodeURIComponent(c.id)}/wallet-offer`, headers });
    await finished(act);
    const o = a.body as WalletOffer;
    if (!o.offer_uri.startsWith(scheme)) throw new Error("no offer for a wallet");
    outcome.replaceChildren(...offer(o));
    button.hidden = true;
    outcome.querySelector<HTMLElement>("h2")?.focus();
    return o;
  } catch (e) {
    if (e instanceof Refused && e.problem.status < 500) await finished(act);
    button.disabled = false;
    button.focus({ preventScroll: true });
    outcome.replaceChildren(e instanceof Refused ? refusal(e.problem, c) : h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "wallet.no_answer" : "refused.other"))));
    return undefined;
  }
}

/** offer shows the number, the link for this phone and the picture for another. */
function offer(o: WalletOffer): readonly Node[] {
  return [
    h("section", { class: "offer", "aria-labelledby": "code-title" },
      h("h2", { id: "code-title", tabindex: -1 }, w("wallet.code")),
      h("p", { class: "digits", id: "code" },
        h("span", { class: "unseen" }, [...o.tx_code].join(" ")),
        h("span", { "aria-hidden": "true" }, `${o.tx_code.slice(0, 3)} ${o.tx_code.slice(3)}`)),
      h("p", {}, w("wallet.code.what")),
      h("p", { id: "until" }, until(o))),
    h("section", { class: "offer", "aria-labelledby": "here-title" },
      h("h2", { id: "here-title" }, w("wallet.here")),
      h("a", { href: o.offer_uri, class: "button", id: "open-wallet" }, w("wallet.open"))),
    h("section", { class: "offer", "aria-labelledby": "there-title" },
      h("h2", { id: "there-title" }, w("wallet.there")),
      h("p", {}, w("wallet.there.what")),
      h("div", { class: "qr" }, h("img", { src: "data:image/png;base64," + o.qr_png, alt: t("wallet.alt"), id: "offer-qr" }))),
  ];
}

/** until says the time of day first: whoever is slow needs no count that runs. */
function until(o: WalletOffer): Node {
  const n = Math.max(1, Math.ceil((Date.parse(o.expires_at) - Date.now()) / minute));
  return state("waiting", phrase(n === 1 ? "wallet.until_one" : "wallet.until", { time: clockTime(o.expires_at), n }));
}

/** age keeps the time right, and takes the offer away when it is over. */
function age(o: WalletOffer, button: HTMLButtonElement, outcome: HTMLElement, tick: number): void {
  if (Date.now() < Date.parse(o.expires_at)) {
    const old = document.getElementById("until");
    const now = until(o);
    if (old !== null && old.textContent !== now.textContent) old.replaceChildren(now);
    return;
  }
  window.clearInterval(tick);
  const had = outcome.contains(document.activeElement);
  outcome.replaceChildren(h("p", { class: "note", id: "over" }, state("old", phrase("wallet.over"))));
  button.hidden = false;
  button.disabled = !lineUp() || session() !== "in";
  button.replaceChildren(w("wallet.again"));
  if (had) button.focus({ preventScroll: true });
  say(phrase("wallet.over"));
}

function refusal(p: Problem, c: Certificate): HTMLElement {
  const stale = p.status === 409 && (p.places ?? []).includes("certificate");
  return h("div", { class: "refusal" },
    h("p", {}, state("stopped", phrase("wallet.failed"))),
    h("p", { id: "reason" }, stale ? w("wallet.not_this") : show(refusalWords(p.code))),
    reference(p.reference ?? p.trace),
    stale && again(c));
}
