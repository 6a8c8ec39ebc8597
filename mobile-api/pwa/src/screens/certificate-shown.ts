// A certificate that may be shown: in which form, the code, who it is about behind a tap,
// what it states, and what can be done with it.

import type { Certificate, LeftOut, Rendering } from "../contract";
import { askAgain, renderings } from "../certificates";
import { day, dayOf } from "../dates";
import { h, type Child } from "../dom";
import { doses, labelled } from "../pieces";
import { specimen } from "../specimen";
import { state } from "../state";
import { keepView, view } from "../view";
import { phrase, show, t, w, type Key } from "../words";

/** shown is everything below the tabs. */
export function shown(c: Certificate, at: number): readonly Child[] {
  const all = renderings(c);
  const seen = all.find((r) => r.format === view()["format"]) ?? all[0];
  if (seen === undefined) return [];
  const code = h("div", { class: "code" }, ...codeOf(c, seen));
  const acts = h("div", { class: "keep" }, ...actsOf(c, seen));
  const choose = (r: Rendering): void => {
    keepView({ format: r.format });
    code.replaceChildren(...codeOf(c, r));
    acts.replaceChildren(...actsOf(c, r));
  };
  return [
    all.length > 1 ? choices(all, seen, choose) : h("p", { class: "small where" }, w(`use.${c.use}.where`)),
    code,
    h("p", { class: "help" }, h("a", { href: "/app/certificates/which", class: "with-icon", id: "which" }, w("certificate.which"))),
    h("p", { class: "facts" }, show(doses(c))),
    h("p", { class: "offline-ok" }, state("done", phrase("certificate.offline", { day: day(dayOf(at)) }))),
    identity(c),
    acts,
    h("p", { class: "to-wallet" }, h("a", { href: `/app/certificates/${c.id}?step=wallet`, class: "button second", id: "wallet" }, ...labelled("phone_card", "certificate.wallet"))),
    doseList(c),
    leftOut(c),
    h("p", { class: "about" }, h("a", { href: `/app/corrections/new?certificate=${c.id}`, class: "with-icon", id: "correct" }, w("certificate.correct"))),
  ];
}

/** choices are the forms, each with the place where it is shown. */
function choices(all: readonly Rendering[], seen: Rendering, choose: (r: Rendering) => void): HTMLElement {
  return h("fieldset", { class: "choices forms" }, h("legend", { class: "small" }, w("form.legend")),
    ...all.map((r) =>
      h("label", { class: "choice" },
        h("input", { type: "radio", name: "form", value: r.format, id: `form-${r.format}`, checked: r === seen, on: { change: () => choose(r) } }),
        h("span", {},
          h("strong", {}, w(`where.${r.where}`)), " ",
          r.specimen && h("span", { class: "tag" }, w("specimen.short"))))));
}

/** codeOf is the picture with what stands around it. */
function codeOf(c: Certificate, r: Rendering): readonly Node[] {
  const alt = t(r.specimen ? "specimen.alt" : `alt.${r.where}`);
  const nodes: Child[] = [
    h("p", { class: "on-paper" }, w(`use.${c.use}`), " ", h("span", {}, w(`where.${r.where}`)), " ", r.title),
    r.specimen && h("div", { class: "note", id: "specimen" }, state("stopped", phrase("specimen.title")), h("p", {}, w("specimen.why"))),
    h("div", { class: "qr" }, r.specimen ? specimen(r.qr_png, alt) : h("img", { src: picture(r), alt, id: "qr" })),
    renderings(c).length > 1 && h("p", { class: "where", id: "where" }, w(`where.${r.where}.how`), h("span", { class: "small block" }, r.title)),
    r.doses < c.doses.length && h("p", { class: "small" }, w("form.fewer", { n: r.doses, all: c.doses.length })),
    !r.specimen && h("p", { class: "small bright" }, w("certificate.bright")),
  ];
  return nodes.filter((x): x is Node => x instanceof Node);
}

const picture = (r: Rendering): string => "data:image/png;base64," + r.qr_png;

function identity(c: Certificate): HTMLElement {
  const facts = h("dl", { id: "identity", hidden: true },
    h("div", {}, h("dt", {}, w("certificate.name")), h("dd", { lang: c.use === "overseas" ? "en" : "ja" }, c.person_name)),
    h("div", {}, h("dt", {}, w("certificate.birth_date")), h("dd", {}, show(day(c.birth_date)))));
  const button = h("button", { type: "button", class: "button quiet", id: "reveal", "aria-expanded": "false", "aria-controls": "identity" },
    ...labelled("eye", "certificate.reveal"));
  button.addEventListener("click", () => {
    facts.hidden = !facts.hidden;
    button.setAttribute("aria-expanded", String(!facts.hidden));
    button.replaceChildren(...labelled("eye", facts.hidden ? "certificate.reveal" : "certificate.hide"));
  });
  return h("div", { class: "identity" }, button, facts);
}

/** actsOf are the ways to keep it; of a specimen there is nothing to keep. */
function actsOf(c: Certificate, r: Rendering): readonly Node[] {
  if (r.specimen) return [];
  const name = `madoguchi-${c.use}-${r.format}-${dayOf(c.issued_at)}`;
  const acts: Child[] = [
    h("a", { href: picture(r), download: `${name}.png`, class: "button second", id: "save" }, ...labelled("save", "certificate.save")),
    r.file ? h("a", { href: fileOf(r.file), download: r.file_name || `${name}.smart-health-card`, class: "button second", id: "save-file" }, ...labelled("file", "certificate.save_file")) : null,
    h("button", { type: "button", class: "button second", id: "print", on: { click: () => window.print() } }, ...labelled("print", "certificate.print")),
  ];
  return [h("div", { class: "three-acts" }, ...acts), ...(r.file ? [h("p", { class: "small" }, w("certificate.file_why"))] : [])];
}

const fileOf = (content: string): string => "data:application/smart-health-card;charset=utf-8," + encodeURIComponent(content);

function doseList(c: Certificate): HTMLElement {
  return h("section", { class: "doses" },
    h("h2", {}, w("certificate.doses")),
    h("ol", {}, ...[...c.doses].sort((a, b) => a.on.localeCompare(b.on)).map((d) =>
      h("li", {}, h("strong", {}, w("certificate.dose", { n: d.number })), " ", h("span", {}, show(day(d.on))),
        h("span", { class: "small block" }, w("certificate.product", { product: d.product, lot: d.lot }))))),
    h("p", { class: "small" }, w("certificate.issuer", { issuer: c.issuer, day: day(dayOf(c.issued_at)) })),
    c.reference ? h("p", { class: "small", id: "reference" }, w("certificate.reference", { reference: c.reference })) : null);
}

const reasons: { readonly [w in LeftOut["why"]]: Key } = {
  no_passport: "left_out.no_passport", no_code: "left_out.no_code", too_large: "left_out.too_large",
  no_signer: "left_out.no_signer", no_name: "left_out.no_name",
};

/** leftOut says which forms it does not have, and what helps where something helps. */
function leftOut(c: Certificate): HTMLElement | null {
  const all = (c.left_out ?? []).filter((x) => x.why in reasons);
  if (all.length === 0) return null;
  return h("section", { class: "doses", id: "left-out" },
    h("h2", {}, w("left_out.title")),
    h("ul", {}, ...all.map((x) =>
      h("li", {},
        h("strong", {}, w(x.format === "vdsnc" ? "where.border" : "where.eu_who")), " ",
        h("span", { class: "small" }, x.title),
        h("span", { class: "block" }, w(reasons[x.why])),
        help(c, x)))));
}

function help(c: Certificate, x: LeftOut): Child {
  if (x.why === "no_passport") return h("a", { href: askAgain(c), class: "with-icon", id: "with-passport" }, w("left_out.with_passport"));
  if (x.why === "no_name") return h("a", { href: `/app/corrections/new?person=${c.person}&kind=name`, class: "with-icon", id: "correct-name" }, w("correct.title"));
  return null;
}
