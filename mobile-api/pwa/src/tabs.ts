// Tabs: one line of names, one panel in sight. The arrow keys go from name to name and show
// what it names; Tab goes on into the panel.

import { append, h, type Child } from "./dom";

export interface Tab {
  readonly id: string; // of what it shows: the name gets "tab-" before it, the panel "panel-"
  readonly name: Node;
  readonly panel: () => readonly Child[];
}

/** tabs gives the line of names and the panels; chose is told of every choice. */
export function tabs(label: string, all: readonly Tab[], first: string, chose: (id: string) => void): readonly HTMLElement[] {
  const names = all.map((t) =>
    h("button", { type: "button", role: "tab", id: `tab-${t.id}`, "aria-controls": `panel-${t.id}` }, t.name));
  const panels = all.map((t) => h("div", { role: "tabpanel", id: `panel-${t.id}`, class: "panel", "aria-labelledby": `tab-${t.id}` }));
  const show = (i: number): void => {
    all.forEach((t, n) => {
      names[n]?.setAttribute("aria-selected", String(n === i));
      names[n]?.setAttribute("tabindex", n === i ? "0" : "-1");
      const panel = panels[n];
      if (panel === undefined) return;
      panel.hidden = n !== i;
      panel.replaceChildren();
      if (n === i) append(panel, t.panel());
    });
  };
  const choose = (i: number): void => {
    const t = all[i];
    if (t === undefined) return;
    show(i);
    names[i]?.focus();
    chose(t.id);
  };
  names.forEach((name, i) => {
    name.addEventListener("click", () => choose(i));
    name.addEventListener("keydown", (e) => {
      const to = arrived(e.key, i, names.length);
      if (to === undefined) return;
      e.preventDefault();
      choose(to);
    });
  });
  show(Math.max(0, all.findIndex((t) => t.id === first)));
  return [h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...names), ...panels];
}

/** arrived is the tab that a key leads to. */
function arrived(key: string, from: number, n: number): number | undefined {
  switch (key) {
    case "ArrowRight": return (from + 1) % n;
    case "ArrowLeft": return (from + n - 1) % n;
    case "Home": return 0;
    case "End": return n - 1;
    default: return undefined;
  }
}
