// What a person has chosen to see on a page, kept with the page's place in the history: a
// drawing by itself and a reload show the same, and the address says nothing of it.

export type View = { readonly [choice: string]: string };

export const view = (): View => (history.state as { view?: View } | null)?.view ?? {};

export function keepView(more: View): void {
  history.replaceState({ view: { ...view(), ...more } }, "");
}
