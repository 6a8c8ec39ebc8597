// Where the counter is, for whoever has no card or would rather speak with somebody.

import type { Me } from "../contract";
import { h } from "../dom";
import { get, type Dated } from "../keep";
import { back, counterCard } from "../pieces";
import type { Draw } from "../screen";
import { phrase, w } from "../words";

export const counter: Draw = async () => {
  const me = await get<Dated<Me>>("me");
  return {
    title: phrase("counter.title"),
    above: back("/app/", "back.start"),
    nodes: [
      h("p", {}, w("counter.lead")),
      me ? counterCard(me.value.counter) : h("p", {}, w("counter.any")),
      h("p", {}, w("counter.bring")),
    ],
  };
};
