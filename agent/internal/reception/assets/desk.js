// The desk's keyboard and its stream of changes. Everything here has a slower way without
// it: links, buttons and a reload.
"use strict";

const byId = (id) => document.getElementById(id);
const emit = (name) => document.body.dispatchEvent(new Event(name));
const press = (id) => byId(id)?.click();
const form = () => document.querySelector("#act form.entry");
const fields = () => [...document.querySelectorAll("#act form.entry :is(input:not([type=hidden]), select, textarea, button.main), #act #scan :is(input:not([type=hidden]), textarea, button.main)")]
  .filter((e) => e.checkVisibility?.() ?? true);
const headers = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");
const say = (text) => { byId("said").textContent = text; };

// Changes arrive without data; the parts that listen fetch their content anew. The parts
// themselves stay: a change that comes while one is on its way waits its turn at the same
// element, and what comes for a case that is no longer shown goes nowhere.
const takeScan = () => htmx.ajax("POST", "/scanned", { target: "#act", swap: "innerHTML" });
const heard = {
  changed: () => emit("desk-changed"),
  card: () => emit("card-changed"),
  locked: () => emit("door-locked"),
  scan: takeScan,
};
if (window.SharedWorker) {
  const shared = new SharedWorker("/assets/stream.js", "desk");
  shared.port.addEventListener("message", (event) => heard[event.data.kind]?.());
  shared.port.start();
  window.addEventListener("focus", () => shared.port.postMessage("active"));
  window.addEventListener("pagehide", () => shared.port.postMessage("bye"));
} else {
  const stream = new EventSource("/events");
  for (const kind of Object.keys(heard)) stream.addEventListener(kind, heard[kind]);
}

const step = (from, by) => {
  const all = fields();
  const to = all[all.indexOf(from) + by];
  if (!to) return false;
  to.focus();
  if (to.select && to.type !== "button") to.select();
  return true;
};

// A half-typed entry is never lost: it is put aside before another tab opens.
const PEOPLE = ["insurer_number", "symbol", "number", "branch", "birth_date", "label", "patient",
  "declared_name_kanji", "declared_name_kana", "declared_address", "declared_phone", "declared_insurer_name", "declared_employer"];
const dirty = () => {
  const f = form();
  return Boolean(f) && PEOPLE.some((name) => f.elements[name] && f.elements[name].type !== "hidden" && f.elements[name].value.trim() !== "");
};
const openTab = (tab) => {
  if (dirty()) {
    htmx.ajax("POST", "/park", { source: form(), values: { next: tab }, target: "#act", swap: "innerHTML" });
    return;
  }
  htmx.ajax("GET", `/act/${tab}`, { target: "#act", swap: "innerHTML" });
};
const tab = (name) => () => { if (byId(`tab-${name}`)) openTab(name); };

const keys = {
  F1: tab("card"),
  F2: tab("numbers"),
  F3: tab("scan"),
  F4: tab("faces"),
  F5: tab("declare"),
  F6: () => press("family"),
  F7: () => press("amend"),
  F8: () => {
    if (byId("unmask")) { press("unmask"); return; }
    const h = byId("holder") ?? document.querySelector("#who details");
    if (h) h.open = !h.open;
  },
  F9: () => (byId("record") ? byId("record").click() : press("read-card")),
  F10: tab("month"),
  Escape: () => {
    if (dirty() && byId("park")) press("park");
    else if (form() || byId("scan") || byId("outbox")) openTab(document.querySelector("#act .tabs [aria-current]")?.dataset.tab ?? "numbers");
  },
};

// A scanner that acts as a keyboard types faster than people do (burst.js): its keys are no
// shortcuts and go into no field but the one for scans.
const burst = new Burst();
const origin = { field: null, before: "" };
const textField = (e) => (e instanceof HTMLInputElement || e instanceof HTMLTextAreaElement ? e : null);
const judge = (text) => {
  const verify = () => htmx.ajax("POST", "/verify", { values: { text }, target: "#act", swap: "innerHTML" });
  if (!dirty()) return verify();
  return htmx.ajax("POST", "/park", { source: form(), values: { next: "scan" }, target: "#act", swap: "innerHTML" }).then(verify);
};
const closeBurst = ({ act, text }) => {
  if (act !== "scan" && act !== "too_long") return;
  const { field, before } = origin;
  const composed = text === "" && field ? field.value.slice(before.length) : text;
  if (field?.isConnected) field.value = before;
  if (act === "scan" && composed) judge(composed);
};
let silence;
const scanned = (event) => {
  clearTimeout(silence);
  const began = !burst.begun || burst.count === 0 || event.timeStamp - burst.last >= BURST.within_ms;
  if (began && !BURST.ends.includes(event.key)) {
    origin.field = textField(event.target);
    origin.before = origin.field?.value ?? "";
  }
  const told = burst.press({ key: event.key, at: event.timeStamp, repeat: event.repeat, control: event.ctrlKey || event.altKey || event.metaKey });
  if (burst.count > 0) {
    const held = burst.text.slice();
    silence = setTimeout(() => {
      const last = burst.silent();
      closeBurst(last);
      // What a person typed quickly, and was no code, goes where it was meant.
      if (last.act === "leave" && held.length >= BURST.from && origin.field?.isConnected && !held.includes(BURST.composing)) {
        origin.field.value = origin.before + held.join("");
      }
    }, BURST.silence_ms);
  }
  if (told.act === "leave") return false;
  if (event.key !== BURST.composing) event.preventDefault();
  closeBurst(told);
  return true;
};

// A file or picture may be dropped anywhere on the screen or pasted: it is read at once, as
// one that was chosen in the form.
const readFile = async (file) => {
  const body = new FormData();
  body.append("file", file);
  const answer = await fetch("/verify", { method: "POST", body, headers: { ...headers(), "HX-Request": "true" } });
  const text = await answer.text();
  if (answer.headers.get("Content-Type")?.startsWith("text/html")) {
    htmx.swap("#act", text, { swapStyle: answer.headers.get("HX-Reswap") ?? "innerHTML" });
    return;
  }
  const said = document.createElement("p");
  said.className = "general";
  said.setAttribute("role", "alert");
  said.textContent = text;
  byId("act").prepend(said);
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

const copyOut = async (button) => {
  try {
    const answer = await fetch(button.dataset.copy, { headers: headers() });
    if (!answer.ok) throw new Error(String(answer.status));
    await navigator.clipboard.writeText(await answer.text());
    say(button.dataset.said);
    button.dataset.done = "1";
  } catch {
    say(button.dataset.failed);
    button.dataset.done = "0";
  }
};

document.addEventListener("keydown", (event) => {
  pressed = performance.now();
  if (scanned(event)) return;
  if (event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !dirty()) {
    event.preventDefault();
    htmx.ajax("POST", "/undo", { target: "#act", swap: "innerHTML" });
    return;
  }
  const typing = textField(event.target) && event.target.type !== "file";
  if ((event.key === "?" && !typing) || (event.altKey && event.key.toLowerCase() === "h")) {
    event.preventDefault();
    tab("help")();
    return;
  }
  if (event.altKey && event.key.toLowerCase() === "c") {
    event.preventDefault();
    press("copy");
    return;
  }
  if (event.altKey && event.key.toLowerCase() === "r") {
    event.preventDefault();
    tab("outbox")();
    return;
  }
  if (event.altKey && event.key.toLowerCase() === "l") {
    event.preventDefault();
    document.querySelector("#list .row")?.focus();
    return;
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const rows = event.target.matches?.(".row") ? [...event.target.closest("section").querySelectorAll(".row")] : [];
    const to = rows[rows.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    if (to) {
      event.preventDefault();
      to.focus();
      return;
    }
  }
  const act = keys[event.key];
  if (act && !event.ctrlKey && !event.altKey && !event.metaKey) {
    event.preventDefault();
    act();
    return;
  }
  const at = event.target;
  if (event.key !== "Enter" || !(at instanceof HTMLInputElement || at instanceof HTMLSelectElement)) return;
  if (!at.closest("form.entry") || at.closest("#card-form") || at.type === "submit") return;
  event.preventDefault();
  if (!step(at, event.shiftKey ? -1 : 1)) byId("record")?.click();
});
// Enter moves on and never submits a form by itself.
document.addEventListener("keypress", (event) => {
  if (event.key === "Enter" && event.target.closest?.("form.entry:not(#card-form)") && !event.target.matches("button, summary, a")) event.preventDefault();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-tab]");
  if (link && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    openTab(link.dataset.tab);
    return;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) copyOut(copy);
});

// A case that is answered changes no more, and is not read out a second time; and nothing is
// taken away under a question.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  // Who is choosing a result is not disturbed by a new one.
  if (event.target.id === "faces" && event.target.contains(document.activeElement)) event.preventDefault();
  if (event.target.id !== "watch") return;
  if (byId("other-person")?.open || ["answered", "voided"].includes(byId("case")?.dataset.state)) event.preventDefault();
});

// What was on its way when the question came is too late: swapped in, it would take the modal
// and the focus in it from under the hands.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "watch" && byId("other-person")?.open) event.detail.shouldSwap = false;
});

// The records' further figures stay open while they are brought up to date.
let moreOpen = false;
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "outbox") moreOpen = Boolean(byId("outbox-more")?.open);
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "outbox" && byId("outbox-more")) byId("outbox-more").open = moreOpen;
});

// The one modal: an answer that seems to be about another person. It waits until no key was
// pressed for a while, so that nobody answers it by going on typing, and comes once.
const QUIET_MS = 1200;
const told = new Set();
let pressed = -QUIET_MS;
let later;
const warn = () => {
  clearTimeout(later);
  const box = byId("other-person");
  if (!box || box.open || told.has(box.dataset.record)) return;
  const left = pressed + QUIET_MS - performance.now();
  if (left > 0 || document.querySelector("#door > *")) {
    later = setTimeout(warn, Math.max(left, QUIET_MS / 4));
    return;
  }
  box.addEventListener("close", () => told.add(box.dataset.record), { once: true });
  box.showModal();
};

// After a part was swapped in, the hands stay on the keyboard: at the first field in
// doubt, else at the first field.
document.body.addEventListener("htmx:afterSettle", (event) => {
  warn();
  // A row of a list was opened by its key: the hands go on to what is to be done with it.
  if (event.target.id === "result" && document.activeElement?.matches("a.row")) (byId("close-task") ?? (byId("case")?.dataset.need ? byId("amend") : null))?.focus();
  // A button that went away leaves the hands in the form.
  if (event.target.id === "result" && document.activeElement === document.body) fields()[0]?.focus();
  if (event.target.id !== "act") return;
  const doubtful = document.querySelector("#act .doubtful") && byId("record");
  const waiting = document.querySelector("#act .rows a.row, #act .face button");
  const to = document.querySelector("#act [aria-invalid]") || doubtful || fields()[0] || waiting || byId("outbox-title");
  to?.focus();
  document.body.dataset.settled = String(Number(document.body.dataset.settled ?? 0) + 1);
});
document.body.addEventListener("htmx:oobAfterSwap", warn);

window.addEventListener("load", () => { fields()[0]?.focus(); warn(); });
