// What the phone keeps: one IndexedDB table of named values. Where the browser refuses
// IndexedDB (some private windows), values live in memory until the page closes.

export type Name =
  | "language"
  | "session"
  | "me"
  | "certificates"
  | "corrections"
  | "draft"
  | "notices"
  | "benefits"
  | "offers"
  | "access"
  | "pushes"
  | "receipts"
  | "acts"
  | "device";

/** Dated is something fetched, with the moment it was fetched (ms since 1970) and its ETag. */
export interface Dated<T> {
  readonly value: T;
  readonly at: number;
  readonly etag?: string;
}

const table = "kept";
const memory = new Map<string, unknown>();
let opening: Promise<IDBDatabase | null> | undefined;

function open(): Promise<IDBDatabase | null> {
  opening ??= new Promise((resolve) => {
    try {
      const req = indexedDB.open("madoguchi", 1);
      req.onupgradeneeded = () => req.result.createObjectStore(table);
      req.onsuccess = () => resolve(req.result);
      req.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opening;
}

/** change replaces one value by what f makes of it, in one transaction; undefined removes it. */
export async function change<T>(name: Name, f: (old: T | undefined) => T | undefined): Promise<T | undefined> {
  const db = await open();
  if (db === null) {
    const next = f(memory.get(name) as T | undefined);
    memory.set(name, next);
    return next;
  }
  return new Promise((resolve, reject) => {
    const tx = db.transaction(table, "readwrite");
    const rows = tx.objectStore(table);
    let next: T | undefined;
    const read = rows.get(name);
    read.onsuccess = () => {
      next = f(read.result as T | undefined);
      if (next === undefined) rows.delete(name);
      else rows.put(next, name);
    };
    tx.oncomplete = () => resolve(next);
    tx.onabort = tx.onerror = () => reject(tx.error ?? new Error("cannot keep " + name));
  });
}

/** get gives a value, undefined when there is none. */
export async function get<T>(name: Name): Promise<T | undefined> {
  const db = await open();
  if (db === null) return memory.get(name) as T | undefined;
  return new Promise((resolve, reject) => {
    const req = db.transaction(table).objectStore(table).get(name);
    req.onsuccess = () => resolve(req.result as T | undefined);
    req.onerror = () => reject(req.error ?? new Error("cannot read " + name));
  });
}

export const put = async <T>(name: Name, value: T): Promise<void> => void (await change<T>(name, () => value));
export const forget = async (name: Name): Promise<void> => void (await change(name, () => undefined));

/** forgetPerson removes everything that belongs to a person; language and device id stay. */
export async function forgetPerson(): Promise<void> {
  for (const name of ["me", "certificates", "corrections", "draft", "notices", "benefits", "offers", "access", "pushes", "receipts", "acts"] as const) await forget(name);
}
