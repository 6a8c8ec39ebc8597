// Elements are made here and nowhere else: by createElement and text nodes, so that no
// text from a server or a person can become markup.

export type Child = Node | string | null | undefined | false;

export interface Props {
  readonly [name: string]: string | number | boolean | null | undefined | Listeners;
  readonly on?: Listeners;
}

type Listeners = { readonly [event: string]: (e: Event) => void };

/** h makes one HTML element. A null, undefined or false property is left out, true is an empty attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, f] of Object.entries(value as Listeners)) el.addEventListener(event, f);
    } else if (typeof value === "string" || typeof value === "number") {
      el.setAttribute(name, String(value));
    } else if (value === true) {
      el.setAttribute(name, "");
    }
  }
  append(el, children);
  return el;
}

/** append adds the children that are there. */
export function append(to: Node, children: readonly Child[]): void {
  for (const c of children) {
    if (c === null || c === undefined || c === false) continue;
    to.appendChild(typeof c === "string" ? document.createTextNode(c) : c);
  }
}

/** paragraphs splits plain text at blank lines into <p>, single line ends into <br>. */
export function paragraphs(text: string): HTMLElement[] {
  return text
    .split(/\n{2,}/)
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const p = h("p");
      part.split("\n").forEach((line, i) => {
        if (i > 0) p.appendChild(h("br"));
        p.appendChild(document.createTextNode(line));
      });
      return p;
    });
}
