// From the handle that a push carried to its notice. The handle says nothing; the text is
// fetched with the token, and the pairing is kept so that it opens without a line later.

import type { Notice } from "./contract";
import { api } from "./api";
import { change, get } from "./keep";
import { addNotices } from "./sync";

const remembered = 200; // pairings kept

/** noticeOf gives the notice's id; it throws what api throws when it has to ask. */
export async function noticeOf(handle: string): Promise<string> {
  const known = (await get<Record<string, string>>("pushes"))?.[handle];
  if (known !== undefined) return known;
  const a = await api({ method: "GET", path: `/v1/pushes/${encodeURIComponent(handle)}` });
  const notice = a.body as Notice;
  await addNotices([notice]);
  await change<Record<string, string>>("pushes", (old = {}) => {
    return Object.fromEntries([...Object.entries(old), [handle, notice.id]].slice(-remembered));
  });
  return notice.id;
}
