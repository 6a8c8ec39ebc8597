// お知らせ: grouped by what is asked.

import type { Notice } from "../contract";
import { moment } from "../dates";
import { h } from "../dom";
import { Unreachable } from "../http";
import { get, type Dated } from "../keep";
import { loading } from "../loading";
import { age, deadline, group, needsLine, row, title } from "../pieces";
import { waiting } from "../receipts";
import type { Draw } from "../screen";
import { state } from "../state";
import { earlierNotices, type NoticeList } from "../sync";
import { phrase, show, w } from "../words";

export const notices: Draw = async () => {
  const kept = await get<Dated<NoticeList>>("notices");
  if (kept === undefined) return { title: phrase("nav.notices"), nodes: loading() };
  const unsent = new Set(await waiting());
  const list = kept.value.notices;
  const dated = list.filter((n) => n.deadline).sort((a, b) => (a.deadline ?? "").localeCompare(b.deadline ?? ""));
  const rest = list.filter((n) => !n.deadline);
  const rows = (of: readonly Notice[]): HTMLElement => h("ul", { class: "rows" }, ...of.map((n) => line(n, unsent)));
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

function line(n: Notice, unsent: ReadonlySet<string>): HTMLElement {
  const read = Boolean(n.read_at) || unsent.has(n.id);
  return row(`/app/notices/${n.id}`, n.id,
    n.deadline ? deadline(n.deadline) : null,
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
