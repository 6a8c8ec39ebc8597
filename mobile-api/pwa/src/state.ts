// The six states, the same on every face: word, icon and colour, never colour alone.

import { h } from "./dom";
import { icon, type Icon } from "./icons";
import { show, phrase, type Phrase } from "./words";

export type State = "done" | "waiting" | "busy" | "attention" | "stopped" | "old";

const icons: { readonly [s in State]: Icon } = {
  done: "check", waiting: "clock", busy: "ring", attention: "bell", stopped: "octagon", old: "history",
};

/** state shows one of the six, with its own word unless a fuller one is given. */
export function state(s: State, words?: Phrase): HTMLElement {
  return h("span", { class: `state state-${s}` }, icon(icons[s]), h("span", {}, show(words ?? phrase(`state.${s}`))));
}
