// Keeping the screen lit while a QR is on it, where the browser can.

export function keepAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let left = false;
  if ("wakeLock" in navigator) {
    navigator.wakeLock.request("screen").then(
      (l) => {
        lock = l;
        if (left) void l.release();
      },
      () => undefined, // the battery is low or the page is hidden: the QR shows all the same
    );
  }
  return () => {
    left = true;
    void lock?.release();
  };
}
