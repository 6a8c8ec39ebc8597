// わたし: language, pushes, who looked at my data, the counter, signing out.

import type { Me } from "../contract";
import { pushing, register, unregister, type Pushing } from "../device";
import { h } from "../dom";
import { tell } from "../events";
import { get, type Dated } from "../keep";
import { languageChoice } from "../language-choice";
import { lineUp } from "../line";
import { counterCard, group, needsLine, personName, row } from "../pieces";
import type { Draw } from "../screen";
import { session } from "../session";
import { state } from "../state";
import { phrase, w, type Key } from "../words";

export const me: Draw = async () => {
  const kept = await get<Dated<Me>>("me");
  const self = kept?.value.people[0];
  return {
    title: phrase("nav.me"),
    nodes: [
      ...(self ? [h("p", { class: "who" }, h("strong", {}, personName(self)), " ", h("span", { lang: "ja" }, kept?.value.municipality ?? ""))] : []),
      languageChoice(),
      await pushes(),
      group("data", "me.data", h("ul", { class: "rows" },
        row("/app/benefits", "benefits", h("span", { class: "row-title" }, w("benefits.title")), h("span", { class: "small" }, w("benefits.lead"))),
        row("/app/corrections", "corrections", h("span", { class: "row-title" }, w("corrections.title")), h("span", { class: "small" }, w("corrections.row"))),
        row("/app/me/access", "access", h("span", { class: "row-title" }, w("access.title")), h("span", { class: "small" }, w("access.lead"))))),
      ...(kept ? [counterCard(kept.value.counter)] : []),
      h("p", {}, h("a", { href: "/app/me/sign-out", class: "button second", id: "to-sign-out" }, w("sign_out.title"))),
    ],
  };
};

const pushWords: { readonly [p in Pushing]: Key } = {
  on: "push.on", off: "push.off", blocked: "push.blocked", unsupported: "push.unsupported",
};

async function pushes(): Promise<HTMLElement> {
  const now = await pushing();
  const outcome = h("div", { "aria-live": "polite" });
  const part = group("pushes", "push.title",
    h("p", { id: "push-state" }, now === "on" ? state("done", phrase("push.on")) : w(pushWords[now])),
    h("p", { class: "small" }, w("push.what")));
  if (now === "on" || now === "off") {
    const button = h("button", {
      type: "button", class: "button second", id: now === "on" ? "push-off" : "push-on", disabled: !lineUp() || session() !== "in",
    }, w(now === "on" ? "push.stop" : "push.start"));
    button.addEventListener("click", () => {
      button.disabled = true;
      (now === "on" ? unregister() : register().then(() => undefined)).then(
        () => tell("data"),
        () => {
          button.disabled = false;
          outcome.replaceChildren(h("p", { class: "note" }, state("stopped", phrase(lineUp() ? "trouble" : "needs_line"))));
        },
      );
    });
    part.append(needsLine() ?? "", button);
  }
  part.append(outcome);
  return part;
}
