// Bringing what the phone keeps up to date. Every list is asked for with its ETag; what
// cannot be fetched stays as it was, with its age.

import type { Benefit, Certificate, Correction, Me, Notice, Offer } from "./contract";
import { api } from "./api";
import { renewDevice } from "./device";
import { tell } from "./events";
import { Unreachable } from "./http";
import { change, get, put, type Dated, type Name } from "./keep";
import { lineUp } from "./line";
import { deliver } from "./receipts";
import { session } from "./session";

export interface NoticeList {
  readonly notices: readonly Notice[];
  readonly next?: string;
}

let running: Promise<void> | undefined;
let wanted = false; // asked for while it ran: what was new then may have come too late for that run
let trouble = false;

/** troubled: the last attempt reached the server and yet failed. */
export const troubled = (): boolean => trouble;

/** sync does everything once, and once more for callers in between. It never throws. */
export function sync(): Promise<void> {
  if (session() !== "in") return Promise.resolve();
  if (running !== undefined) wanted = true;
  running ??= untilDone().finally(() => {
    running = undefined;
  });
  return running;
}

async function untilDone(): Promise<void> {
  do {
    wanted = false;
    await all();
  } while (wanted && lineUp() && session() === "in");
}

async function all(): Promise<void> {
  const before = await fingerprint();
  const wasTroubled = trouble;
  trouble = false;
  for (const step of [deliver, me, certificates, corrections, notices, benefits, offers, renewDevice]) {
    try {
      await step();
    } catch (e) {
      if (e instanceof Unreachable || session() !== "in") break;
      trouble = true;
    }
  }
  if (before !== (await fingerprint()) || trouble !== wasTroubled) tell("data");
}

async function me(): Promise<void> {
  const a = await api({ method: "GET", path: "/v1/me" });
  await put<Dated<Me>>("me", { value: a.body as Me, at: Date.now() });
}

async function certificates(): Promise<void> {
  await list<readonly Certificate[]>("certificates", "/v1/certificates", (body) => {
    return (body as { certificates: readonly Certificate[] | null }).certificates ?? [];
  });
}

async function corrections(): Promise<void> {
  await list<readonly Correction[]>("corrections", "/v1/corrections", (body) => (body as { corrections: readonly Correction[] | null }).corrections ?? []);
}

async function notices(): Promise<void> {
  await list<NoticeList>("notices", "/v1/notices?limit=100", (body) => {
    const page = body as { notices: readonly Notice[] | null; next?: string };
    return { notices: page.notices ?? [], ...(page.next ? { next: page.next } : {}) };
  });
}

async function benefits(): Promise<void> {
  await list<readonly Benefit[]>("benefits", "/v1/benefits", (body) => (body as { benefits: readonly Benefit[] | null }).benefits ?? []);
}

async function offers(): Promise<void> {
  await list<readonly Offer[]>("offers", "/v1/offers", (body) => (body as { offers: readonly Offer[] | null }).offers ?? []);
}

/** list fetches one list unless it is unchanged; either way its age is now. */
async function list<T>(name: Name, path: string, read: (body: unknown) => T): Promise<void> {
  const old = await get<Dated<T>>(name);
  const headers: Record<string, string> = old?.etag ? { "If-None-Match": old.etag } : {};
  const a = await api({ method: "GET", path, headers });
  const value = a.status === 304 && old !== undefined ? old.value : read(a.body);
  const etag = a.etag ?? old?.etag;
  await put<Dated<T>>(name, { value, at: Date.now(), ...(etag ? { etag } : {}) });
}

type Listed = { readonly benefits: Benefit; readonly offers: Offer };

/** keepOne puts one benefit or offer in its place in the list; the list's ETag no longer fits. */
export async function keepOne<N extends keyof Listed>(name: N, one: Listed[N]): Promise<void> {
  await change<Dated<readonly Listed[N][]>>(name, (old) => {
    const had = old?.value ?? [];
    const value = had.some((x) => x.id === one.id) ? had.map((x) => (x.id === one.id ? one : x)) : [one, ...had];
    return { value, at: Date.now() };
  });
}

/** fetchOne brings one up to date, where it is there at all. It never throws. */
export async function fetchOne<N extends keyof Listed>(name: N, id: string): Promise<void> {
  try {
    const a = await api({ method: "GET", path: `/v1/${name}/${encodeURIComponent(id)}` });
    await keepOne(name, a.body as Listed[N]);
    tell("data");
  } catch {
    // it stays as it was, with its age
  }
}

/** addNotices merges notices fetched one by one or from an earlier page. */
export async function addNotices(more: readonly Notice[], next?: string): Promise<void> {
  await change<Dated<NoticeList>>("notices", (old) => {
    const had = old?.value.notices ?? [];
    const ids = new Set(more.map((n) => n.id));
    const notices = [...had.filter((n) => !ids.has(n.id)), ...more];
    notices.sort((a, b) => b.sent_at.localeCompare(a.sent_at));
    const cursor = next ?? old?.value.next;
    return { value: { notices, ...(cursor ? { next: cursor } : {}) }, at: old?.at ?? Date.now() };
  });
  tell("data");
}

/** earlierNotices fetches the next page of the list. */
export async function earlierNotices(cursor: string): Promise<void> {
  const a = await api({ method: "GET", path: `/v1/notices?limit=100&cursor=${encodeURIComponent(cursor)}` });
  const page = a.body as { notices: readonly Notice[] | null; next?: string };
  await addNotices(page.notices ?? [], page.next ?? "");
}

/** fingerprint says whether there is something new to draw; ages alone are not. */
async function fingerprint(): Promise<string> {
  const parts = await Promise.all(
    (["me", "certificates", "corrections", "notices", "benefits", "offers", "receipts"] as const).map(async (n) => {
      const kept = await get<Dated<unknown> | readonly string[]>(n);
      return kept !== undefined && "value" in kept ? kept.value : kept;
    }),
  );
  return JSON.stringify(parts);
}
