// One certificate: its QR as large as the window allows, on white, with its quiet zone.
// Name and birth date stay hidden until tapped, since this screen is shown to strangers.

import type { Certificate } from "../contract";
import { day, dayOf } from "../dates";
import { h } from "../dom";
import { keepAwake } from "../awake";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { back, doses, labelled } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { phrase, show, t, w } from "../words";

export const certificate: Draw = async (visit) => {
  const kept = await get<Dated<readonly Certificate[]>>("certificates");
  const c = kept?.value.find((x) => x.id === visit.id);
  if (kept === undefined || c === undefined) {
    const nodes = kept === undefined ? loading() : [h("p", {}, w("certificate.unknown"))];
    return { title: phrase("certificate.title"), above: back("/app/certificates", "back.certificates"), nodes, bare: true };
  }
  const newer = c.superseded || kept.value.some((x) => x.person === c.person && x.use === c.use && x.issued_at > c.issued_at && !x.superseded);
  return {
    title: phrase("certificate.title"),
    bare: true,
    above: back("/app/certificates", "back.certificates"),
    ownHeading: true,
    leave: keepAwake(),
    nodes: [
      h("div", { class: "certificate" },
        h("h1", { tabindex: -1 }, w("certificate.title")),
        tabs(c, kept.value),
        h("p", { class: "small where" }, w(`use.${c.use}.where`)),
        newer && superseded(c),
        h("div", { class: "qr" }, h("img", { src: "data:image/png;base64," + c.qr_png, alt: t(`certificate.alt.${c.use}`), id: "qr" })),
        h("p", { class: "facts" }, show(doses(c))),
        h("p", { class: "offline-ok" }, state("done", phrase("certificate.offline", { day: day(dayOf(kept.at)) }))),
        identity(c),
        acts(c),
        doseList(c)),
    ],
  };
};

/** tabs leads to the same person's certificate for the other use, or to asking for it. */
function tabs(c: Certificate, all: readonly Certificate[]): HTMLElement {
  const tab = (use: Certificate["use"]): HTMLElement => {
    const there = use === c.use ? c : all.find((x) => x.person === c.person && x.use === use);
    const href = there ? `/app/certificates/${there.id}` : `/app/certificates/new?person=${c.person}&use=${use}`;
    return h("a", { href, id: `tab-${use}`, "aria-current": use === c.use ? "page" : null }, w(there ? `use.${use}` : `use.${use}.ask`));
  };
  return h("nav", { class: "tabs", "aria-label": t("use.label") }, tab("domestic"), tab("overseas"));
}

function superseded(c: Certificate): HTMLElement {
  return h("div", { class: "note" },
    state("attention", phrase("certificate.superseded")),
    h("a", { href: `/app/certificates/new?person=${c.person}&use=${c.use}`, class: "button second", id: "reissue" }, w("certificate.reissue")));
}

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

function acts(c: Certificate): HTMLElement {
  const name = `madoguchi-${c.use}-${dayOf(c.issued_at)}.png`;
  return h("div", { class: "two" },
    h("a", { href: "data:image/png;base64," + c.qr_png, download: name, class: "button second", id: "save" }, ...labelled("save", "certificate.save")),
    h("button", { type: "button", class: "button second", id: "print", on: { click: () => window.print() } }, ...labelled("print", "certificate.print")));
}

function doseList(c: Certificate): HTMLElement {
  return h("section", { class: "doses" },
    h("h2", {}, w("certificate.doses")),
    h("ol", {}, ...[...c.doses].sort((a, b) => a.on.localeCompare(b.on)).map((d) =>
      h("li", {}, h("strong", {}, w("certificate.dose", { n: d.number })), " ", h("span", {}, show(day(d.on))),
        h("span", { class: "small block" }, w("certificate.product", { product: d.product, lot: d.lot }))))),
    h("p", { class: "small" }, w("certificate.issuer", { issuer: c.issuer, day: day(dayOf(c.issued_at)) })));
}
