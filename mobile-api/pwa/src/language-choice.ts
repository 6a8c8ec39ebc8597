// The choice of language, each named in itself.

import { h } from "./dom";
import { tell } from "./events";
import { choose, language, languages, tag, w, type Language } from "./words";

const names: { readonly [l in Language]: string } = { ja: "日本語", "ja-easy": "やさしい日本語", en: "English" };

export function languageChoice(): HTMLElement {
  const one = (l: Language): HTMLElement =>
    h("label", { class: "choice", lang: tag(l) },
      h("input", {
        type: "radio", name: "language", value: l, id: `language-${l}`, checked: l === language(),
        on: { change: () => void choose(l).then(() => tell("data")) },
      }),
      h("span", {}, names[l]));
  return h("fieldset", { class: "choices languages" }, h("legend", {}, w("language.legend")), ...languages.map(one));
}
