// Pages that wait for somebody at another PC look again by themselves.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const list = document.getElementById("devices-list");
  const look = async () => {
    if (list) {
      if (list.contains(document.activeElement)) return;
      const answer = await fetch("/devices", { headers: { "HX-Request": "true" } });
      if (!answer.ok) { location.reload(); return; }
      const text = await answer.text();
      if (text !== look.before) list.innerHTML = text;
      look.before = text;
      return;
    }
    const { state } = await (await fetch("/pair/state")).json();
    if (state === "paired") location.assign("/");
    if (state === "gone") location.assign("/pair");
  };
  setInterval(() => look().catch(() => {}), EVERY_MS);
})();
