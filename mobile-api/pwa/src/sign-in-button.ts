// The button that leads to the provider's page, with what went wrong beside it.

import { h } from "./dom";
import { hearWhile } from "./events";
import { Unreachable } from "./http";
import { lineUp } from "./line";
import { say } from "./shell";
import { start } from "./signin";
import { state } from "./state";
import { phrase, w, type Key } from "./words";

export function signInButton(backTo: string): HTMLElement {
  const trouble = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "button", class: "button", id: "sign-in", disabled: !lineUp() }, w("sign_in.button"));
  button.addEventListener("click", () => {
    button.disabled = true;
    say(phrase("sign_in.leaving"));
    start(backTo).catch((e: unknown) => {
      button.disabled = false;
      const key: Key = e instanceof Unreachable ? "needs_line" : "sign_in.failed";
      trouble.replaceChildren(h("p", { class: "note" }, state("stopped", phrase(key))));
    });
  });
  const act = h("div", { class: "act" }, button, trouble);
  hearWhile(act, "line", () => {
    button.disabled = !lineUp();
  });
  return act;
}
