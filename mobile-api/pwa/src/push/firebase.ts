// The seam for real tokens: the Firebase JS SDK's getToken with the cell's VAPID key and
// this app's service worker registration, whose result goes to the server as it is. It is
// untried, since it needs a Firebase project; nothing is loaded for it. Whoever fills it in
// hands in the SDK's two functions, so that the bundle without it stays free of the SDK,
// and lets the push service's hosts into connect-src.

import type { PushTokens } from "./tokens";

/** Messaging is the part of the Firebase SDK that is needed, with its instance bound. */
export interface Messaging {
  getToken(options: { vapidKey: string; serviceWorkerRegistration: ServiceWorkerRegistration }): Promise<string>;
  deleteToken(): Promise<boolean>;
}

export function firebase(messaging: Messaging, vapidKey: string): PushTokens {
  return {
    async issue() {
      const serviceWorkerRegistration = await navigator.serviceWorker.ready;
      return messaging.getToken({ vapidKey, serviceWorkerRegistration });
    },
    async revoke() {
      await messaging.deleteToken();
    },
  };
}
