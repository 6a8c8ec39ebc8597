// Whether the server can be reached, as far as the last attempt and the browser know.

import { tell } from "./events";

let up = navigator.onLine;

export const lineUp = (): boolean => up;

/** setLine records what an attempt found out. */
export function setLine(now: boolean): void {
  if (now === up) return;
  up = now;
  tell("line");
}

/** watchLine listens to the browser; retry is called when there may be a line again. */
export function watchLine(retry: () => void): void {
  window.addEventListener("offline", () => setLine(false));
  window.addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") retry();
  });
  window.setInterval(() => {
    if (!up && document.visibilityState === "visible") retry();
  }, 20_000);
}
