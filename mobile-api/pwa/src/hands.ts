// A screen that is drawn anew under a finger loses its tap: the button that was pressed is
// gone before it is let go. Drawings by themselves wait until no pointer is down.

let down = false;
let waiting: (() => void)[] = [];

/** watchHands begins to know whether a pointer is down. */
export function watchHands(): void {
  const released = (): void => {
    down = false;
    // The click comes in the same turn as the release; drawings come after it.
    setTimeout(() => {
      if (down) return;
      const all = waiting;
      waiting = [];
      for (const go of all) go();
    });
  };
  document.addEventListener("pointerdown", () => (down = true), true);
  document.addEventListener("pointerup", released, true);
  document.addEventListener("pointercancel", released, true);
  window.addEventListener("blur", released);
}

/** handsOff ends when no pointer is down. */
export function handsOff(): Promise<void> {
  return down ? new Promise((go) => waiting.push(go)) : Promise.resolve();
}
