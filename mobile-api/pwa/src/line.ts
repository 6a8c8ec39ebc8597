// Whether the server can be reached, as far as the last attempt and the browser know.

import { tell } from "./events";

let up = navigator.onLine;
let losses = 0; // how often the browser said that the line was lost

export const lineUp = (): boolean => up;

/** attempt begins one, and gives what its end is told to. An answer that was already on
 * its way when the browser lost the line says nothing of what came after. */
export function attempt(): { readonly answered: () => void; readonly failed: () => void } {
  const before = losses;
  return {
    answered: () => {
      if (before === losses) set(true);
    },
    failed: () => set(false),
  };
}

function lost(): void {
  losses++;
  set(false);
}

function set(now: boolean): void {
  if (now === up) return;
  up = now;
  tell("line");
}

/** watchLine listens to the browser; retry is called when there may be a line again. */
export function watchLine(retry: () => void): void {
  window.addEventListener("offline", lost);
  window.addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") retry();
  });
  window.setInterval(() => {
    if (!up && document.visibilityState === "visible") retry();
  }, 20_000);
}
