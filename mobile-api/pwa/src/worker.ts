// Starting the service worker, and hearing from it. Its address goes through the one
// Trusted Types policy that the page's security policy allows.

interface Hears {
  readonly pushed: (handle: string) => void;
  readonly open: (path: string) => void;
}

interface Policy {
  createScriptURL(url: string): string;
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): Policy;
}

const address = "/app/sw.js";

export function startWorker(hears: Hears): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", (e) => {
    const m: unknown = e.data;
    if (typeof m !== "object" || m === null) return;
    if ("pushed" in m && typeof m.pushed === "string") hears.pushed(m.pushed);
    if ("open" in m && typeof m.open === "string" && m.open.startsWith("/app/")) hears.open(m.open);
  });
  navigator.serviceWorker.startMessages();
  navigator.serviceWorker.register(trusted(address), { scope: "/app/", updateViaCache: "none" }).then(
    (registration) => {
      document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "visible") void registration.update().catch(() => undefined);
      });
    },
    () => undefined, // without it the app works, only not with the network off
  );
}

function trusted(url: string): string {
  const types = (window as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return url;
  return types
    .createPolicy("sw", {
      createScriptURL: (u) => {
        if (u !== address) throw new TypeError("not the service worker");
        return u;
      },
    })
    .createScriptURL(url);
}
