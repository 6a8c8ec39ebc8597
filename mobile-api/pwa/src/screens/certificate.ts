// One certificate: its QR as large as the window allows, on white, with its quiet zone.
// Name and birth date stay hidden until tapped, since this screen is shown to strangers.

import type { Certificate, Use } from "../contract";
import { keepAwake } from "../awake";
import { askAgain, current, standing } from "../certificates";
import { day, dayOf } from "../dates";
import { h, type Child } from "../dom";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { back, doses } from "../pieces";
import type { Draw, Screen } from "../screen";
import { state } from "../state";
import { tabs } from "../tabs";
import { keepView, view } from "../view";
import { has, phrase, show, t, w } from "../words";
import { shown } from "./certificate-shown";
import { wallet } from "./wallet";

interface Kept {
  readonly all: readonly Certificate[];
  readonly at: number;
}

export const certificate: Draw = async (visit) => {
  const kept = await get<Dated<readonly Certificate[]>>("certificates");
  const c = kept?.value.find((x) => x.id === visit.id);
  if (kept === undefined || c === undefined) {
    const nodes = kept === undefined ? loading() : [h("p", {}, w("certificate.unknown"))];
    return { title: phrase("certificate.title"), above: back("/app/certificates", "back.certificates"), nodes, bare: true };
  }
  if (visit.query.get("step") === "wallet") return wallet(c, standing(c, kept.value));
  return page(c, { all: kept.value, at: kept.at });
};

function page(c: Certificate, kept: Kept): Screen {
  const sleep = keepAwake();
  const tab = (use: Use) => ({ id: use, name: w(`use.${use}`), panel: () => ofUse(use === c.use ? c : current(kept.all, c.person, use), c.person, use, kept) });
  return {
    title: phrase("certificate.title"),
    bare: true,
    above: back("/app/certificates", "back.certificates"),
    ownHeading: true,
    leave: sleep,
    unused: sleep,
    nodes: [
      h("div", { class: "certificate" },
        h("h1", { tabindex: -1 }, w("certificate.title")),
        ...tabs(t("use.label"), [tab("domestic"), tab("overseas")], view()["use"] ?? c.use, (use) => keepView({ use }))),
    ],
  };
}

/** ofUse is one panel: the certificate, why it is not to be shown any more, or how to get one. */
function ofUse(c: Certificate | undefined, person: string, use: Use, kept: Kept): readonly Child[] {
  if (c === undefined) return none(person, use);
  const stands = standing(c, kept.all);
  if (stands === "revoked") return revoked(c);
  return [stands === "newer" && newer(c), ...shown(c, kept.at)];
}

const none = (person: string, use: Use): readonly Child[] => [
  h("p", { class: "small where" }, w(`use.${use}.where`)),
  h("p", {}, w("certificate.none")),
  h("a", { href: `/app/certificates/new?person=${person}&use=${use}`, class: "button", id: "ask-use" }, w(`use.${use}.ask`)),
];

function newer(c: Certificate): HTMLElement {
  return h("div", { class: "note", id: "newer" },
    state("attention", phrase("certificate.superseded")),
    h("p", { class: "small" }, w("certificate.superseded.why")),
    h("a", { href: askAgain(c), class: "button second", id: "reissue" }, w("certificate.reissue")));
}

/** revoked shows no code: readers refuse it, and so should a person not be sent away with it. */
function revoked(c: Certificate): readonly Child[] {
  const why = `revoked.${c.revoked_for ?? ""}`;
  return [
    h("p", { class: "struck", id: "struck" },
      h("span", { class: "unseen" }, w("certificate.revoked_name")),
      h("s", {}, w(`use.${c.use}`), " ", h("span", {}, show(doses(c))))),
    h("div", { class: "note", id: "revoked" },
      state("stopped", phrase("certificate.revoked", { day: day(dayOf(c.revoked_at ?? c.issued_at)) })),
      h("p", {}, w(has(why) ? why : "revoked.other")),
      h("p", {}, w("certificate.revoked.show_not"))),
    h("a", { href: askAgain(c), class: "button", id: "reissue" }, w("certificate.reissue")),
    c.reference ? h("p", { class: "small" }, w("certificate.reference", { reference: c.reference })) : null,
    h("p", {}, h("a", { href: `/app/corrections/new?certificate=${c.id}`, class: "with-icon", id: "correct" }, w("certificate.correct"))),
  ];
}
