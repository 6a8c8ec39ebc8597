// The desk's keyboard and its stream of changes. Everything here has a slower way without
// it: links, buttons and a reload.
"use strict";

const changed = () => document.body.dispatchEvent(new Event("desk-changed"));

// Changes arrive as events without data; the parts that listen fetch their content anew.
// The parts themselves stay: a change that comes while one is on its way waits its turn at
// the same element, and what comes for a case that is no longer shown goes nowhere. A case
// asks once more when it is shown: its answer may have come before it was.
const stream = new EventSource("/events");
stream.addEventListener("changed", changed);

const byId = (id) => document.getElementById(id);
const press = (id) => byId(id)?.click();
const fields = () => [...document.querySelectorAll("#act input:not([type=hidden]), #act select, #act textarea, #act button.main")];

const step = (from, by) => {
  const all = fields();
  const to = all[all.indexOf(from) + by];
  if (!to) return false;
  to.focus();
  if (to.select) to.select();
  return true;
};

const lock = (on) => {
  document.body.classList.toggle("locked", on);
  byId("locked").hidden = !on;
};

const keys = {
  F2: () => press("tab-numbers"),
  F3: () => press("tab-scan"),
  F5: () => { const e = byId("evidence"); if (e) { e.value = "self_declaration"; e.focus(); } },
  F8: () => { const h = byId("holder"); if (h) h.open = !h.open; },
  F9: () => byId("numbers")?.requestSubmit(),
  F11: () => lock(!document.body.classList.contains("locked")),
  F12: () => byId("operator").focus(),
  Escape: () => { const form = byId("numbers"); if (form) { form.reset(); fields()[0]?.focus(); } },
};

// A scanner that acts as a keyboard types faster than people do: a burst of characters
// less than 30 ms apart that ends with Enter is a code, wherever the focus is.
const burst = { text: "", last: 0 };
const BURST_MS = 30;
const BURST_MIN = 40;
const BURST_MAX = 20000;

const scanned = (event) => {
  const gap = event.timeStamp - burst.last;
  burst.last = event.timeStamp;
  if (event.key === "Enter") {
    const text = burst.text;
    burst.text = "";
    if (gap >= BURST_MS || text.length < BURST_MIN) return false;
    event.preventDefault();
    htmx.ajax("POST", "/verify", { values: { text }, target: "#act", swap: "innerHTML" });
    return true;
  }
  if (event.key.length !== 1) return false;
  burst.text = gap < BURST_MS && burst.text.length < BURST_MAX ? burst.text + event.key : event.key;
  return false;
};

// A file or picture may be dropped anywhere on the screen or pasted: it is read at once, as
// one that was chosen in the form.
const readFile = async (file) => {
  const body = new FormData();
  body.append("file", file);
  const answer = await fetch("/verify", { method: "POST", body, headers: { "HX-Request": "true" } });
  const text = await answer.text();
  if (answer.headers.get("Content-Type")?.startsWith("text/html")) {
    htmx.swap("#act", text, { swapStyle: "innerHTML" });
    return;
  }
  const act = byId("act");
  const said = document.createElement("p");
  said.className = "general";
  said.setAttribute("role", "alert");
  said.textContent = text;
  act.prepend(said);
};
const carries = (data) => [...(data?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carries(event.dataTransfer)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  const file = event.dataTransfer?.files[0];
  if (!file) return;
  event.preventDefault();
  readFile(file);
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file) return;
  event.preventDefault();
  readFile(file);
});

let idle;
const rest = () => {
  clearTimeout(idle);
  const after = Number(document.body.dataset.lockAfter);
  if (after > 0) idle = setTimeout(() => lock(true), after);
};

document.addEventListener("keydown", (event) => {
  rest();
  if (event.isComposing) return;
  if (scanned(event)) return;
  const act = keys[event.key];
  if (act && !event.ctrlKey && !event.altKey && !event.metaKey) {
    event.preventDefault();
    act();
    return;
  }
  const at = event.target;
  if (event.key === "Enter" && at instanceof HTMLInputElement && at.closest("#numbers") && at.type !== "submit") {
    event.preventDefault();
    if (!step(at, event.shiftKey ? -1 : 1)) byId("numbers").requestSubmit();
    return;
  }
  if (event.key === "Enter" && at instanceof HTMLSelectElement && at.closest("#numbers")) {
    event.preventDefault();
    step(at, event.shiftKey ? -1 : 1);
  }
});
document.addEventListener("pointerdown", rest);
document.addEventListener("click", (event) => {
  if (event.target.id === "lock") keys.F11();
});
document.addEventListener("change", (event) => {
  if (event.target.id === "operator") event.target.form.requestSubmit();
});

// A case that is answered changes no more, and is not read out a second time.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "watch" && byId("case")?.dataset.state === "answered") event.preventDefault();
});

// After a part was swapped in, the hands stay on the keyboard: at the first field in
// doubt, else at the first field.
document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "act") return;
  const wrong = document.querySelector("#act [aria-describedby$='-note']");
  const doubtful = document.querySelector(".doubtful") && byId("record");
  const to = document.querySelector("#act [aria-invalid]") || doubtful || wrong || fields()[0];
  if (to) to.focus();
});

window.addEventListener("load", () => { rest(); fields()[0]?.focus(); });
