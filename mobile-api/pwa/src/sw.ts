// The service worker: keeps the shell of one build so that the app opens with no network,
// and turns a push into a notification that says nothing. It never sees an answer of the
// API: those are kept by the page, with their age.

/// <reference lib="webworker" />

import { handleOf, maxPayload } from "./push/payload";

declare const self: ServiceWorkerGlobalScope;
declare const VERSION: string; // hash of everything in SHELL
declare const SHELL: readonly string[]; // paths below /app/
declare const PUSH_WORDS: { readonly [language: string]: string };
declare const ICON: string;

const prefix = "shell-";
const index = "/app/";

self.addEventListener("install", (e) => {
  e.waitUntil(install());
});

async function install(): Promise<void> {
  const cache = await caches.open(prefix + VERSION);
  await cache.addAll(SHELL.map((path) => new Request(path, { cache: "no-cache" })));
  await self.skipWaiting();
}

self.addEventListener("activate", (e) => {
  e.waitUntil(activate());
});

/** The shell before this one stays too: a page that is opening right now may still load its parts. */
async function activate(): Promise<void> {
  const shells = (await caches.keys()).filter((k) => k.startsWith(prefix) && k !== prefix + VERSION);
  await Promise.all(shells.slice(0, -1).map((k) => caches.delete(k)));
  await self.clients.claim();
}

self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith(index)) return;
  if (e.request.mode === "navigate") e.respondWith(fromShell(index, e.request));
  else if (SHELL.includes(url.pathname) || url.pathname.startsWith("/app/assets/")) e.respondWith(fromShell(url.pathname, e.request));
});

async function fromShell(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(prefix + VERSION);
  return (await cache.match(path)) ?? (await caches.match(path)) ?? fetch(request);
}

self.addEventListener("push", (e) => {
  e.waitUntil(pushed(e.data));
});

async function pushed(data: PushMessageData | null): Promise<void> {
  if (data === null || data.arrayBuffer().byteLength > maxPayload * 3) return;
  const handle = handleOf(data.text());
  if (handle === undefined) return;
  const language = await chosenLanguage();
  await self.registration.showNotification(PUSH_WORDS[language] ?? PUSH_WORDS["ja"] ?? "", {
    tag: handle,
    data: { handle },
    icon: ICON,
    lang: language === "en" ? "en" : "ja",
  });
  for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
    client.postMessage({ pushed: handle });
  }
}

self.addEventListener("notificationclick", (e) => {
  e.notification.close();
  const handle: unknown = (e.notification.data as { handle?: unknown } | null)?.handle;
  e.waitUntil(open(typeof handle === "string" ? `/app/notices/${handle}` : "/app/notices"));
});

/** open brings an open page of the app to the path, or opens a new one. */
async function open(path: string): Promise<void> {
  for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
    if (!new URL(client.url).pathname.startsWith(index)) continue;
    await client.focus().catch(() => undefined);
    client.postMessage({ open: path });
    return;
  }
  await self.clients.openWindow(path);
}

/** chosenLanguage reads the page's choice; Japanese where there is none. */
function chosenLanguage(): Promise<string> {
  return new Promise((resolve) => {
    const opening = indexedDB.open("madoguchi", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
    opening.onerror = () => resolve("ja");
    opening.onsuccess = () => {
      const read = opening.result.transaction("kept").objectStore("kept").get("language");
      read.onsuccess = () => resolve(typeof read.result === "string" ? read.result : "ja");
      read.onerror = () => resolve("ja");
    };
  });
}
