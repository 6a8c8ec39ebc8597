// The frame around every screen: skip link, name, the line's state, the four places, the
// main part and the voice for screen readers.

import { append, h } from "./dom";
import { icon, type Icon } from "./icons";
import { lineUp } from "./line";
import type { Screen } from "./screen";
import { session } from "./session";
import { state } from "./state";
import { phrase, plain, show, t, w, type Key, type Phrase } from "./words";

const places: readonly { readonly path: string; readonly also?: string; readonly icon: Icon; readonly key: Key }[] = [
  { path: "/app/", icon: "home", key: "nav.home" },
  { path: "/app/certificates", also: "/app/corrections", icon: "certificate", key: "nav.certificates" },
  { path: "/app/notices", icon: "letter", key: "nav.notices" },
  { path: "/app/me", icon: "person", key: "nav.me" },
];

const part = (id: string): HTMLElement => {
  const el = document.getElementById(id);
  if (el === null) throw new Error("index.html has no #" + id);
  return el;
};

export interface Around {
  readonly stranger: boolean;
  readonly retry: () => void;
  readonly signIn: () => void;
}

/** drawFrame draws everything around the screen. */
export function drawFrame(screen: Screen, around: Around): void {
  document.title = t("title.page", { page: plain(screen.title) });
  const bare = screen.bare === true || around.stranger;
  document.body.classList.toggle("bare", bare);
  document.body.classList.toggle("wide", screen.wide === true);
  part("skip").replaceChildren(w("skip"));
  part("name").replaceChildren(icon("counter"), w("app.name"));
  const nav = part("places");
  nav.setAttribute("aria-label", t("nav.label"));
  nav.hidden = bare;
  nav.replaceChildren(...(bare ? [] : [h("ul", {}, ...places.map(placeLink))]));
  drawStrips(around);
}

function placeLink(p: (typeof places)[number]): HTMLElement {
  const below = [p.path, p.also ?? p.path].some((path) => location.pathname.startsWith(path));
  const here = p.path === "/app/" ? location.pathname === p.path : below;
  const link = h("a", { href: p.path, "aria-current": here ? "page" : null }, icon(p.icon), h("span", {}, w(p.key)));
  return h("li", {}, link);
}

/** drawStrips says when there is no line or no session; the screens below keep working. */
export function drawStrips(around: Around): void {
  const strips: HTMLElement[] = [];
  if (!lineUp() && !around.stranger) {
    strips.push(strip(state("old", phrase("strip.offline")), "strip.offline.retry", around.retry));
  }
  if (session() === "expired" && !around.stranger) {
    strips.push(strip(state("attention", phrase("strip.expired")), "strip.expired.sign_in", around.signIn));
  }
  const box = part("strips");
  const had = box.contains(document.activeElement);
  box.replaceChildren(...strips);
  if (had) box.querySelector("button")?.focus();
}

function strip(words: HTMLElement, key: Key, act: () => void): HTMLElement {
  return h("div", { class: "strip" }, words, h("button", { type: "button", class: "quiet", on: { click: act } }, w(key)));
}

let wished = "";

/**
 * focusOnceDrawn gives the focus to what is drawn next under this id, by whichever drawing
 * comes first: one that was asked for may be overtaken by one that new data asked for.
 */
export function focusOnceDrawn(id: string): void {
  wished = id;
}

/** drawMain puts the screen into the main part, keeping focus and place when it is the same page. */
export function drawMain(screen: Screen, same: boolean): void {
  const main = part("main");
  const focused = same && main.contains(document.activeElement) ? (document.activeElement?.id ?? "") : "";
  const onHeading = same && main.querySelector("h1") === document.activeElement;
  const openParts = same ? [...main.querySelectorAll("details[open][id]")].map((d) => d.id) : [];
  const heading = screen.ownHeading ? null : h("h1", { tabindex: -1 }, show(screen.title));
  main.replaceChildren();
  append(main, [screen.above, heading, ...screen.nodes]);
  for (const id of openParts) document.getElementById(id)?.setAttribute("open", "");
  if (onHeading) main.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  const next = wished === "" ? null : document.getElementById(wished);
  if (next !== null || !same) wished = "";
  if (focused !== "" || next !== null) (next ?? document.getElementById(focused))?.focus({ preventScroll: true });
}

/** focusHeading brings a person who went to a new page to its beginning. */
export function focusHeading(): void {
  window.scrollTo(0, 0);
  part("main").querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
}

/** say speaks to screen readers, politely. */
export function say(words: Phrase): void {
  part("voice").textContent = plain(words);
}

/** announce shows a message above the screen until it is closed or followed. */
export function announce(words: Phrase, href: string): void {
  const box = part("news");
  const link = h("a", { href, class: "row", on: { click: () => box.replaceChildren() } }, state("attention", words), icon("next"));
  box.replaceChildren(link);
}
