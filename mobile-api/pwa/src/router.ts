// Going from page to page without leaving the document.

type Go = (first: boolean) => Promise<void>;

let go: Go = () => Promise.resolve();

/** startRouter draws the present address and follows links and the back button. */
export function startRouter(draw: Go): Promise<void> {
  go = draw;
  document.addEventListener("click", followLink);
  window.addEventListener("popstate", () => void go(false));
  return go(true);
}

/** visit goes to a path of this app. */
export async function visit(path: string, how: "push" | "replace" = "push"): Promise<void> {
  if (how === "push") history.pushState(null, "", path);
  else history.replaceState(null, "", path);
  await go(false);
}

function followLink(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const a = e.target instanceof Element ? e.target.closest("a") : null;
  if (a === null || a.target !== "" || a.hasAttribute("download")) return;
  const to = new URL(a.href);
  if (to.origin !== location.origin || !to.pathname.startsWith("/app/")) return;
  if (to.pathname === location.pathname && to.hash !== "") return;
  e.preventDefault();
  void visit(to.pathname + to.search);
}
