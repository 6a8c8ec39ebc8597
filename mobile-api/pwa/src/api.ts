// Calls of a signed-in citizen: with the access token, and once more with a new one when
// the server no longer takes it.

import { Refused, send, type Answer, type Call } from "./http";
import { accessToken } from "./session";

export async function api(call: Call): Promise<Answer> {
  const token = await accessToken();
  try {
    return await send(call, token);
  } catch (e) {
    if (!(e instanceof Refused) || e.problem.status !== 401) throw e;
    return send(call, await accessToken(token));
  }
}
