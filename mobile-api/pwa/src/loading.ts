// While the very first data is on its way. The style shows it after 300 ms and keeps its
// place free before, so that nothing jumps.

import { h } from "./dom";
import { lineUp } from "./line";
import { session } from "./session";
import { state } from "./state";
import { troubled } from "./sync";
import { phrase } from "./words";

export function loading(): readonly Node[] {
  if (!lineUp() || session() !== "in") return [h("p", { class: "note" }, state("stopped", phrase("nothing_kept")))];
  if (troubled()) return [h("p", { class: "note" }, state("stopped", phrase("trouble")))];
  return [h("p", { class: "note loading", role: "status" }, state("busy", phrase("loading")))];
}
