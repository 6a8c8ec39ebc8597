// The part of a form that takes the two lines at the foot of a passport's page. What is
// typed here stays in these two fields: it goes to the server once and nowhere else, and
// the fields are emptied when it was taken, and when the page is left.

import { h } from "./dom";
import { lineLength, slips, tidy } from "./mrz";
import { state } from "./state";
import { has, phrase, w, type Key, type Phrase } from "./words";

export interface Passport {
  readonly box: HTMLElement;
  /** The two lines as typed; both empty means that the passport is left out. */
  lines(): readonly [string, string];
  /** check shows what is wrong, goes to the first such field, and says whether all is well. */
  check(): boolean;
  /** refuse shows what the server found. */
  refuse(line: 0 | 1, reason: string): void;
  clear(): void;
}

interface Field {
  readonly box: HTMLElement;
  readonly area: HTMLTextAreaElement;
  readonly fault: (found: readonly Phrase[]) => void;
  readonly count: () => void;
}

export function passport(): Passport {
  const fields: readonly [Field, Field] = [field(0, (text) => (spill(text), followed(0, text))), field(1, (text) => followed(1, text))];
  const box = h("fieldset", { class: "passport", id: "passport" },
    h("legend", {}, w("passport.legend")),
    h("p", {}, w("passport.what")),
    h("p", { class: "small" }, w("passport.safe")),
    fields[0].box,
    fields[1].box,
    h("p", { class: "small" }, w("passport.leave_out")));

  /** Both lines came at once, as they do from a reader's clipboard. */
  function spill(text: string): void {
    if (text.length <= lineLength || fields[1].area.value !== "") return;
    fields[0].area.value = text.slice(0, lineLength);
    fields[1].area.value = text.slice(lineLength);
    for (const f of fields) f.count();
    fields[1].area.focus();
  }

  /** What was said of a line holds no more once it changes; a whole line is looked at at once. */
  function followed(i: 0 | 1, text: string): void {
    if (text.length === lineLength) look(i);
    else fields[i].fault([]);
  }

  const typed = (i: 0 | 1): string => tidy(fields[i].area.value);
  const look = (i: 0 | 1): boolean => {
    const found = slips(i, typed(i));
    fields[i].fault(found.map((s) => phrase(words(s), { n: typed(i).length })));
    return found.length === 0;
  };
  for (const i of [0, 1] as const) {
    fields[i].area.addEventListener("change", () => {
      if (typed(i) === "") fields[i].fault([]);
      else look(i);
    });
  }
  return {
    box,
    lines: () => [typed(0), typed(1)],
    check: () => {
      if (typed(0) + typed(1) === "") return true;
      const good = [look(0), look(1)];
      const first = good.indexOf(false);
      if (first >= 0) fields[first as 0 | 1].area.focus();
      return first < 0;
    },
    refuse: (line, reason) => {
      fields[line].fault([phrase(words(reason), { n: typed(line).length })]);
      fields[line].area.focus();
    },
    clear: () => {
      for (const f of fields) {
        f.area.value = "";
        f.fault([]);
        f.count();
      }
    },
  };
}

const words = (reason: string): Key => (has(`mrz.${reason}`) ? (`mrz.${reason}` as Key) : "mrz.other");

function field(i: 0 | 1, typed: (text: string) => void): Field {
  const id = `mrz-${i}`;
  const area = h("textarea", {
    id, rows: 2, class: "mrz", lang: "en", autocomplete: "off", autocapitalize: "characters", autocorrect: "off",
    spellcheck: "false", inputmode: "text", "aria-describedby": `${id}-hint ${id}-count ${id}-fault`,
  });
  const counter = h("p", { class: "small", id: `${id}-count` });
  const fault = h("div", { class: "fault", id: `${id}-fault`, "aria-live": "polite" });
  const count = (): void => {
    counter.replaceChildren(w("passport.count", { n: tidy(area.value).length, all: lineLength }));
  };
  const follow = (): void => {
    const at = tidy(area.value.slice(0, area.selectionStart)).length;
    const clean = tidy(area.value);
    if (clean !== area.value) {
      area.value = clean;
      area.setSelectionRange(at, at);
    }
    count();
    typed(clean);
  };
  area.addEventListener("input", (e) => {
    if (!(e as InputEvent).isComposing) follow();
  });
  area.addEventListener("compositionend", follow);
  area.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.isComposing) return;
    e.preventDefault(); // a line has no second line
    area.form?.requestSubmit();
  });
  count();
  const box = h("div", { class: "field" },
    h("label", { for: id }, w(i === 0 ? "passport.line0" : "passport.line1")),
    h("p", { class: "small", id: `${id}-hint` }, w(i === 0 ? "passport.line0.hint" : "passport.line1.hint")),
    area,
    counter,
    h("div", { class: "keys" }, ...keys(i, area, follow)),
    fault);
  return {
    box, area, count,
    fault: (found) => {
      area.setAttribute("aria-invalid", String(found.length > 0));
      fault.replaceChildren(...found.map((words) => h("p", {}, state("attention", words))));
    },
  };
}

/** keys are the signs that a phone's keyboard hides. */
function keys(i: 0 | 1, area: HTMLTextAreaElement, follow: () => void): readonly HTMLElement[] {
  const key = (id: string, name: Key, insert: () => string): HTMLElement =>
    h("button", { type: "button", class: "quiet", id, on: { click: () => {
      area.setRangeText(insert(), area.selectionStart, area.selectionEnd, "end");
      area.focus();
      follow();
    } } }, w(name));
  const filler = key(`mrz-${i}-filler`, "passport.filler", () => "<");
  if (i === 1) return [filler];
  return [filler, key("mrz-0-fill", "passport.fill", () => {
    area.setSelectionRange(area.value.length, area.value.length);
    return "<".repeat(Math.max(0, lineLength - tidy(area.value).length));
  })];
}
