// The session: the access token lives as long as its tab, the refresh token in the phone's
// store. A refresh token works once and its reuse ends the session, so all tabs of this
// browser replace it under one lock and read it anew inside. The access token outlives a
// reload, since a page that goes away in the middle of a refresh loses the new pair.

import type { TokenPair } from "./contract";
import { tell } from "./events";
import { Refused, send } from "./http";
import { forget, get, put } from "./keep";

interface Kept {
  readonly refresh?: string;
}

/** "expired" means signed in once and not any more: what was seen stays on the phone. */
export type Standing = "in" | "expired" | "out";

let standing: Standing = "out";
const accessKey = "access";

interface Access {
  readonly token: string;
  readonly until: number; // ms since 1970
}

let replacing: Promise<string> | undefined;

export const session = (): Standing => standing;

/** recallSession reads what an earlier visit left. */
export async function recallSession(): Promise<void> {
  const kept = await get<Kept>("session");
  standing = kept === undefined ? "out" : kept.refresh === undefined ? "expired" : "in";
}

/** adopt takes over a fresh pair. */
export async function adopt(pair: TokenPair): Promise<void> {
  await put<Kept>("session", { refresh: pair.refresh_token });
  const access: Access = { token: pair.access_token, until: Date.now() + (pair.expires_in - 30) * 1000 };
  sessionStorage.setItem(accessKey, JSON.stringify(access));
  become("in");
}

/** end forgets the tokens; expired keeps the memory that there was a session. */
export async function end(how: "expired" | "out"): Promise<void> {
  sessionStorage.removeItem(accessKey);
  const before = standing;
  standing = how; // at once: an answer that is still on its way is not kept any more
  if (how === "expired") await put<Kept>("session", {});
  else await forget("session");
  if (how !== before) tell("session");
}

/** accessToken gives a token that is not `spent`, replacing the pair at most once for all callers. */
export async function accessToken(spent?: string): Promise<string> {
  const access = JSON.parse(sessionStorage.getItem(accessKey) ?? "null") as Access | null;
  if (access !== null && access.token !== spent && Date.now() < access.until) return access.token;
  replacing ??= locked(replace).finally(() => {
    replacing = undefined;
  });
  return replacing;
}

async function replace(): Promise<string> {
  const kept = await get<Kept>("session");
  if (kept?.refresh === undefined) {
    await end(kept === undefined ? "out" : "expired");
    throw new Refused({ code: "unauthenticated", status: 401, trace: "" });
  }
  try {
    const a = await send({ method: "POST", path: "/v1/sign-in/refresh", body: { refresh_token: kept.refresh } });
    const pair = a.body as TokenPair;
    await adopt(pair);
    return pair.access_token;
  } catch (e) {
    // Only a clear "no" ends the session: a busy or broken server does not.
    if (e instanceof Refused && [400, 401, 403, 422].includes(e.problem.status)) await end("expired");
    throw e;
  }
}

function locked<T>(f: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return f();
  return navigator.locks.request("madoguchi-refresh", f) as Promise<T>;
}

function become(s: Standing): void {
  if (s === standing) return;
  standing = s;
  tell("session");
}
