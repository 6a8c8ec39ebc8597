// Calls of a signed-in citizen: with the access token, and once more with a new one when
// the server no longer takes it. An answer that arrives after the session ended is thrown
// away: whoever signs out must not find their data back.

import { Refused, send, Unreachable, type Answer, type Call } from "./http";
import { accessToken, session } from "./session";

export async function api(call: Call): Promise<Answer> {
  const answer = await withToken(call);
  if (session() !== "in") throw new Unreachable("the session has ended");
  return answer;
}

async function withToken(call: Call): Promise<Answer> {
  const token = await accessToken();
  try {
    return await send(call, token);
  } catch (e) {
    if (!(e instanceof Refused) || e.problem.status !== 401) throw e;
    return send(call, await accessToken(token));
  }
}
