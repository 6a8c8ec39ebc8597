// One notice, in the chosen language with the Japanese original beside it. Opening it is
// noted at once and told to the office when there is a line.

import type { About, Benefit, Notice, Text } from "../contract";
import { due, told } from "../benefits";
import { moment } from "../dates";
import { h, paragraphs, type Child } from "../dom";
import { Refused } from "../http";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { back, bigLink, phoneLink, refusalWords } from "../pieces";
import { isHandle } from "../push/payload";
import { noticeOf } from "../pushed";
import { opened, waiting } from "../receipts";
import type { Draw, Screen } from "../screen";
import { state } from "../state";
import { sync, type NoticeList } from "../sync";
import { textIn } from "../pieces";
import { language, phrase, tag, w } from "../words";

export const notice: Draw = async (visit) => {
  let id = visit.id;
  if (isHandle(id)) {
    try {
      id = await noticeOf(id);
      history.replaceState(null, "", `/app/notices/${id}`);
    } catch (e) {
      return other([h("p", { class: "note" }, state("stopped", e instanceof Refused ? refusalWords(e.problem.code) : phrase("needs_line")))]);
    }
  }
  const kept = await get<Dated<NoticeList>>("notices");
  const n = kept?.value.notices.find((x) => x.id === id);
  if (n === undefined) return other(kept === undefined ? loading() : [h("p", {}, w("notice.unknown"))]);
  if (!n.read_at && !(await waiting()).includes(n.id)) {
    await opened(n.id);
    void sync();
  }
  const t = await told();
  const benefits = (await get<Dated<readonly Benefit[]>>("benefits"))?.value ?? [];
  return page(n, due(n, t, benefits), t.unsent.includes(n.id));
};

const other = (nodes: readonly Node[]): Screen => ({
  title: phrase("notice.title"),
  above: back("/app/notices", "back.notices"),
  nodes,
});

function page(n: Notice, by: HTMLElement | undefined, receiptWaits: boolean): Screen {
  const text = textIn(n);
  const original = textIn(n, "ja");
  const twoTexts = text.language !== original.language;
  return {
    title: [text.title],
    ownHeading: true,
    wide: twoTexts,
    above: back("/app/notices", "back.notices"),
    nodes: [
      h("article", { class: "notice" },
        h("h1", { tabindex: -1, lang: tag(text.language) }, text.title),
        by && h("p", {}, by),
        text.language !== language() && h("p", { class: "small" }, w("notice.only_japanese")),
        h("div", { class: "texts" }, body(text), twoTexts && originalPart(original)),
        n.about && h("p", {}, more(n.about)),
        facts(n),
        h("p", { id: "receipt" }, receiptWaits ? state("waiting", phrase("notice.receipt_waits")) : state("done", phrase("notice.receipt_sent")))),
    ],
  };
}

/** more leads to what the notice is about; of what this app does not know, the words are enough. */
function more(about: About): HTMLElement | null {
  switch (about.kind) {
    case "benefit": return bigLink(`/app/benefits/${about.id}`, "notice.about_benefit", "about");
    case "offer": return bigLink(`/app/offers/${about.id}`, "notice.about_offer", "about");
    case "certificate": return bigLink(`/app/certificates/${about.id}`, "notice.about_certificate", "about");
    case "correction": return bigLink(`/app/corrections/${about.id}`, "notice.about_correction", "about");
    default: return null;
  }
}

const body = (x: Text): HTMLElement => h("div", { class: "text", lang: tag(x.language), id: "text" }, ...paragraphs(x.body));

function originalPart(x: Text): HTMLElement {
  return h("section", { class: "original", "aria-labelledby": "original" },
    h("h2", { id: "original" }, w("notice.original")),
    h("p", { lang: "ja" }, h("strong", {}, x.title)),
    h("div", { lang: "ja" }, ...paragraphs(x.body)));
}

function facts(n: Notice): HTMLElement {
  const fact = (dt: Child, ...dd: Child[]): HTMLElement => h("div", {}, h("dt", {}, dt), h("dd", {}, ...dd));
  return h("dl", { class: "facts-list" },
    fact(w("notice.from"), h("span", { lang: "ja" }, n.from)),
    fact(w("notice.phone"), phoneLink(n.phone)),
    fact(w("notice.sent"), w("plain", { words: moment(n.sent_at) })),
    fact(w("notice.number"), n.number, h("span", { class: "small block" }, w("notice.number_why"))));
}
