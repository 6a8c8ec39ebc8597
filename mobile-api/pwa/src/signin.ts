// The sign-in flow. A random secret stays in this tab's session storage and only its hash
// leaves; the same secret ends the flow, so an address with a code that somebody else
// started is worth nothing here.

import type { Me, TokenPair } from "./contract";
import { api } from "./api";
import { send } from "./http";
import { forgetPerson, get, put, type Dated } from "./keep";
import { base64url, word } from "./random";
import { adopt } from "./session";
import { language } from "./words";

const secretKey = "sign-in-secret";
const returnKey = "sign-in-return";

/** start leaves the app for the provider's page; back is where the person is now. */
export async function start(back: string): Promise<void> {
  const secret = word(32);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  const a = await send({
    method: "POST",
    path: "/v1/sign-in/start",
    body: { binding: base64url(new Uint8Array(hash)), language: language() },
  });
  const to = new URL((a.body as { authorization_url: string }).authorization_url);
  if (to.protocol !== "https:" && to.protocol !== "http:") throw new Error("cannot sign in there");
  sessionStorage.setItem(secretKey, secret);
  sessionStorage.setItem(returnKey, back);
  location.assign(to.href);
}

/** begun tells whether this tab started the flow that is coming back. */
export const begun = (): boolean => sessionStorage.getItem(secretKey) !== null;

/** finish gives the path to go on to. What an earlier person left on this phone is removed. */
export async function finish(code: string, state: string): Promise<string> {
  const secret = sessionStorage.getItem(secretKey) ?? "";
  const back = sessionStorage.getItem(returnKey) ?? "/app/";
  sessionStorage.removeItem(secretKey);
  sessionStorage.removeItem(returnKey);
  const a = await send({ method: "POST", path: "/v1/sign-in/finish", body: { code, state, secret } });
  const earlier = await get<Dated<Me>>("me");
  await adopt(a.body as TokenPair);
  const me = (await api({ method: "GET", path: "/v1/me" })).body as Me;
  if (earlier?.value.people[0]?.id !== me.people[0]?.id) await forgetPerson();
  await put<Dated<Me>>("me", { value: me, at: Date.now() });
  return back.startsWith("/app/") && !back.startsWith("/app/sign-in") ? back : "/app/";
}
