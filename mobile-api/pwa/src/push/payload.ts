// The only payload that is taken from a push: FCM's web push envelope whose data is
// exactly {"v":"1","h":"psh_…"}. Anything else is dropped unread.

export const maxPayload = 4096; // characters; FCM itself stops at 4 KB

const handle = /^psh_[0-9a-hjkmnp-tv-z]{26}$/;

export const isHandle = (s: string): boolean => handle.test(s);

/** handleOf gives the handle, or undefined for anything that is not that payload. */
export function handleOf(text: string): string | undefined {
  if (text.length > maxPayload) return undefined;
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(envelope) || !isRecord(envelope["data"])) return undefined;
  const data = envelope["data"];
  const { v, h } = data;
  if (Object.keys(data).length !== 2 || v !== "1" || typeof h !== "string") return undefined;
  return isHandle(h) ? h : undefined;
}

const isRecord = (x: unknown): x is Record<string, unknown> =>
  typeof x === "object" && x !== null && !Array.isArray(x);
