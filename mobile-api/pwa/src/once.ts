// Acts that count once. An act keeps its key until it has an outcome, over reloads and with
// the app closed in between, so that trying again after a lost answer does nothing twice.

import { change } from "./keep";
import { base64url, word } from "./random";

type Keys = { readonly [act: string]: string };

/** keyOf gives the act's key, the same until finished is called. */
export async function keyOf(act: string): Promise<string> {
  const fresh = word(18);
  const keys = await change<Keys>("acts", (old = {}) => ({ ...old, [act]: old[act] ?? fresh }));
  return keys?.[act] ?? fresh;
}

const asked = new Map<string, string>(); // act → digest of what it was last asked with, in this tab's memory

/** keyFor gives the act's key as long as the same is asked; for something else it begins anew. */
export async function keyFor(act: string, body: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const digest = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  const before = asked.get(act);
  if (before !== undefined && before !== digest) await finished(act);
  asked.set(act, digest);
  return keyOf(act);
}

/** finished forgets the key: the act was done, or clearly refused. */
export async function finished(act: string): Promise<void> {
  asked.delete(act);
  await change<Keys>("acts", (old = {}) => Object.fromEntries(Object.entries(old).filter(([name]) => name !== act)));
}
