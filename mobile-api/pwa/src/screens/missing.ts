// An address that is no page.

import { h } from "../dom";
import { bigLink } from "../pieces";
import type { Draw } from "../screen";
import { phrase, w } from "../words";

export const missing: Draw = () =>
  Promise.resolve({
    title: phrase("missing.title"),
    nodes: [h("p", {}, w("missing.what")), h("p", {}, bigLink("/app/", "back.start"))],
  });
