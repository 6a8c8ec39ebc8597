// The app begins here.

import "./styles/tokens.css";
import "./styles/app.css";
import { hear } from "./events";
import { handsOff, watchHands } from "./hands";
import { get } from "./keep";
import { watchLine } from "./line";
import { noticeOf } from "./pushed";
import { isHandle } from "./push/payload";
import { startRouter, visit } from "./router";
import { find } from "./routes";
import type { Screen } from "./screen";
import { recallSession, session } from "./session";
import { announce, drawFrame, drawMain, drawStrips, focusHeading, say, type Around } from "./shell";
import { sync } from "./sync";
import { startWorker } from "./worker";
import { phrase, recall } from "./words";

let shown: Screen | undefined;
let shownPath = "";
let drawing = 0;

async function around(): Promise<Around> {
  const stranger = session() === "out" && (await get("me")) === undefined;
  return { stranger, retry: () => void sync(), signIn: () => void visit("/app/sign-in") };
}

/**
 * draw shows the present address. A drawing that was overtaken by a newer one is dropped, and
 * so is one that came by itself when the screen was taken into use meanwhile: a tap that had
 * waited for nobody would lose what it says of its outcome.
 */
async function draw(first: boolean, byItself = false): Promise<void> {
  const turn = ++drawing;
  const surroundings = await around();
  const { draw: page, id } = find(location.pathname, surroundings.stranger);
  const path = location.pathname + location.search;
  const screen = await page({ path, id, query: new URLSearchParams(location.search) });
  if (path === shownPath) await handsOff();
  if (turn !== drawing) {
    screen.unused?.();
    return;
  }
  if (byItself && path === shownPath && shown?.still) {
    screen.unused?.();
    drawStrips(surroundings);
    return;
  }
  const now = location.pathname + location.search;
  const same = now === shownPath;
  shown?.leave?.();
  shown = screen;
  shownPath = now;
  drawFrame(screen, surroundings);
  drawMain(screen, same);
  if (!same && !first) focusHeading();
}

async function redraw(): Promise<void> {
  if (shown?.still) drawStrips(await around());
  else await draw(false, true);
}

/** pushed fetches what a push announced and says that it is there. */
async function pushed(handle: string): Promise<void> {
  try {
    const id = await noticeOf(handle);
    announce(phrase("push.arrived"), `/app/notices/${id}`);
    say(phrase("push.arrived"));
  } catch {
    void sync(); // it comes with the list when there is a line and a session again
  }
}

async function main(): Promise<void> {
  watchHands();
  await recall();
  await recallSession();
  hear("data", () => void redraw());
  hear("line", () => void redraw());
  hear("session", () => void redraw());
  watchLine(() => void sync());
  startWorker({
    pushed: (h) => void (isHandle(h) && pushed(h)),
    open: (path) => void visit(path),
  });
  await startRouter(draw);
  await sync();
}

void main();
