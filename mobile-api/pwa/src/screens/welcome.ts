// First opening: what this is in three lines, the language, sign in, where the counter is.

import { h } from "../dom";
import { icon } from "../icons";
import { languageChoice } from "../language-choice";
import { needsLine } from "../pieces";
import type { Draw } from "../screen";
import { signInButton } from "../sign-in-button";
import { phrase, w } from "../words";

export const welcome: Draw = async (visit) => ({
  title: phrase("welcome.title"),
  nodes: [
    h("ul", { class: "three" },
      h("li", {}, icon("certificate"), h("span", {}, w("welcome.line1"))),
      h("li", {}, icon("letter"), h("span", {}, w("welcome.line2"))),
      h("li", {}, icon("history"), h("span", {}, w("welcome.line3")))),
    languageChoice(),
    h("div", { class: "acts" }, needsLine(), signInButton(visit.path), h("p", { class: "small" }, w("welcome.card"))),
    h("p", {}, h("a", { href: "/app/counter", class: "with-icon" }, icon("counter"), h("span", {}, w("welcome.counter")))),
  ],
});
