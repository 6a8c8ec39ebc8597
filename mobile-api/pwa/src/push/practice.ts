// The practice push service's tokens: opaque, made from the device's id, good for tests
// and demonstrations only.

import type { PushTokens } from "./tokens";

export const practice: PushTokens = {
  issue: (device) => Promise.resolve(`practice:${device}`),
  revoke: () => Promise.resolve(),
};
