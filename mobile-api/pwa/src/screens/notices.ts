// お知らせ: grouped by what is asked.

import type { Benefit, Notice } from "../contract";
import { due, hasRead, told, type Told } from "../benefits";
import { moment } from "../dates";
import { h } from "../dom";
import { Unreachable } from "../http";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, group, needsLine, row, title } from "../pieces";
import type { Draw } from "../screen";
import { state } from "../state";
import { earlierNotices, type NoticeList } from "../sync";
import { phrase, show, w } from "../words";

export const notices: Draw = async () => {
  const kept = await get<Dated<NoticeList>>("notices");
  if (kept === undefined) return { title: phrase("nav.notices"), nodes: loading() };
  const t = await told();
  const benefits = (await get<Dated<readonly Benefit[]>>("benefits"))?.value ?? [];
  const list = kept.value.notices;
  const dated = list.filter((n) => n.deadline).sort((a, b) => (a.deadline ?? "").localeCompare(b.deadline ?? ""));
  const rest = list.filter((n) => !n.deadline);
  const rows = (of: readonly Notice[]): HTMLElement => h("ul", { class: "rows" }, ...of.map((n) => line(n, due(n, t, benefits), t)));
  return {
    title: phrase("nav.notices"),
    nodes: [
      ...(list.length === 0 ? [h("p", {}, w("notices.none"))] : []),
      ...(dated.length > 0 ? [group("dated", "notices.dated", rows(dated))] : []),
      ...(rest.length > 0 ? [group("rest", "notices.rest", rows(rest))] : []),
      ...(kept.value.next ? [earlier(kept.value.next)] : []),
      ...[age(kept.at)].filter((x) => x !== null),
    ],
  };
};

function line(n: Notice, by: HTMLElement | undefined, t: Told): HTMLElement {
  const read = hasRead(n, t);
  return row(`/app/notices/${n.id}`, n.id,
    by,
    h("span", { class: read ? "read" : "unread" }, title(n)),
    h("span", { class: "small" }, h("span", { lang: "ja" }, n.from), " ", show(moment(n.sent_at))),
    read ? null : h("span", { class: "new" }, w("notices.unread")));
}

function earlier(cursor: string): HTMLElement {
  const box = h("div", { class: "act", "aria-live": "polite" });
  const button = h("button", { type: "button", class: "button second", id: "earlier" }, w("notices.earlier"));
  button.addEventListener("click", () => {
    button.disabled = true;
    earlierNotices(cursor).catch((e: unknown) => {
      button.disabled = false;
      box.append(needsLine() ?? h("p", { class: "note" }, state("stopped", phrase(e instanceof Unreachable ? "needs_line" : "trouble"))));
    });
  });
  box.append(button);
  return box;
}
