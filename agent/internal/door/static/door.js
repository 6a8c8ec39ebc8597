// The door over a page of the desk: the PIN is asked for above what the page holds, which
// stays as it is. A page that includes this has an empty <div id="door"> at its end and its
// token in hx-headers of the body; it passes a "locked" of its stream on as the event
// door-locked of the body.
"use strict";
(() => {
  const AWAKE_MS = 30000;
  const body = document.body;
  const box = document.getElementById("door");
  if (!box) return;
  const filled = () => box.childElementCount > 0;
  const locked = () => Boolean(box.querySelector("[data-locked]"));
  const headers = () => JSON.parse(body.getAttribute("hx-headers") || "{}");
  let before = null;
  let asking = "";

  const remember = () => {
    const at = document.activeElement;
    if (at && at !== body && !box.contains(at)) before = at;
  };
  const open = (path) => {
    if (filled() || asking === path) return;
    remember();
    asking = path;
    htmx.ajax("GET", path, { target: "#door", swap: "innerHTML" }).finally(() => { if (asking === path) asking = ""; });
  };
  const lock = () => { // hidden at once, also where the agent does not answer
    remember();
    body.classList.add("locked");
    htmx.ajax("POST", "/lock", { target: "#door", swap: "innerHTML" });
  };
  const close = () => box.replaceChildren();

  // What lies under the door can neither be reached nor, while it is locked, be read.
  const cover = () => {
    const shown = box.querySelector("dialog");
    asking = "";
    body.classList.toggle("locked", locked());
    if (!shown) {
      before?.focus();
      return;
    }
    htmx.process(shown); // before anybody can press Enter in it
    if (!shown.open) shown.showModal();
    (shown.querySelector("[aria-invalid], [autofocus]") ?? shown.querySelector("input:not([type=hidden]), a"))?.focus();
  };
  box.addEventListener("cancel", (event) => {
    event.preventDefault();
    if (!locked()) close();
  }, true);
  box.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    close();
  });
  new MutationObserver(cover).observe(box, { childList: true });

  // A token stays the same for the whole session; another session brings another.
  const token = (csrf) => {
    if (!csrf) return;
    body.setAttribute("hx-headers", JSON.stringify({ ...headers(), "X-CSRF-Token": csrf }));
    for (const e of document.querySelectorAll("input[name=csrf]")) e.value = csrf;
  };
  body.addEventListener("door-token", (event) => token(event.detail.csrf));
  body.addEventListener("door-open", (event) => {
    token(event.detail.csrf);
    close();
  });
  body.addEventListener("door-locked", () => open("/sign-in"));
  body.addEventListener("door-lost", (event) => {
    if (event.detail.way === "/launch") open("/launch");
    else location.assign(event.detail.way);
  });

  let told = 0;
  const awake = (event) => {
    if (event.timeStamp - told < AWAKE_MS || filled()) return;
    told = event.timeStamp;
    fetch("/awake", { method: "POST", headers: headers() })
      .then((answer) => (answer.ok ? answer.json() : { open: answer.status !== 401 }))
      .then((state) => { if (!state.open) open("/sign-in"); })
      .catch(() => {});
  };
  document.addEventListener("pointerdown", awake);

  // The desk's keys do nothing while the door is closed, and F11 and F12 are the door's.
  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing;
    if (filled()) {
      event.stopPropagation();
      if (event.key === "Escape") {
        event.preventDefault();
        if (!locked()) close();
      }
      if (/^F([1-9]|1[0-2])$/.test(event.key)) event.preventDefault();
      return;
    }
    awake(event);
    if (!plain || (event.key !== "F11" && event.key !== "F12")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "F11") lock();
    else open("/sign-in");
  }, true);
  cover();
})();
