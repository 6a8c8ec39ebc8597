// Acts that count once. An act keeps its key until it has an outcome, over reloads and with
// the app closed in between, so that trying again after a lost answer does nothing twice.

import { change } from "./keep";
import { word } from "./random";

type Keys = { readonly [act: string]: string };

/** keyOf gives the act's key, the same until finished is called. */
export async function keyOf(act: string): Promise<string> {
  const fresh = word(18);
  const keys = await change<Keys>("acts", (old = {}) => ({ ...old, [act]: old[act] ?? fresh }));
  return keys?.[act] ?? fresh;
}

/** finished forgets the key: the act was done, or clearly refused. */
export async function finished(act: string): Promise<void> {
  await change<Keys>("acts", (old = {}) => Object.fromEntries(Object.entries(old).filter(([name]) => name !== act)));
}
