// Signing out, after saying what it removes from this phone.

import { api } from "../api";
import { forgetDevice, unregister } from "../device";
import { h } from "../dom";
import { forgetPerson } from "../keep";
import { lineUp } from "../line";
import { back } from "../pieces";
import { waiting } from "../receipts";
import { visit as go } from "../router";
import type { Draw } from "../screen";
import { end } from "../session";
import { state } from "../state";
import { phrase, w } from "../words";

export const signOut: Draw = async () => {
  const unsent = (await waiting()).length;
  return {
    title: phrase("sign_out.title"),
    above: back("/app/me", "back.me"),
    nodes: [
      h("p", {}, w("sign_out.removes")),
      h("ul", { class: "plain" },
        h("li", {}, w("sign_out.certificates")), h("li", {}, w("sign_out.corrections")), h("li", {}, w("sign_out.notices")), h("li", {}, w("sign_out.benefits")),
        h("li", {}, w("sign_out.access")), h("li", {}, w("sign_out.push"))),
      h("p", {}, w("sign_out.stays")),
      ...(unsent > 0 ? [h("p", { class: "note" }, state("waiting", phrase("sign_out.unsent")))] : []),
      ...(lineUp() ? [] : [h("p", { class: "note" }, state("attention", phrase("sign_out.offline")))]),
      h("p", {}, h("button", { type: "button", class: "button stop", id: "sign-out", on: { click: leave } }, w("sign_out.button"))),
    ],
  };
};

function leave(e: Event): void {
  (e.currentTarget as HTMLButtonElement).disabled = true;
  void out();
}

/** out tells the server as far as it can be reached; the phone forgets in any case. */
async function out(): Promise<void> {
  try {
    await unregister();
    await api({ method: "POST", path: "/v1/sign-out" });
  } catch {
    await forgetDevice();
  }
  await end("out");
  await forgetPerson();
  await go("/app/", "replace");
}
