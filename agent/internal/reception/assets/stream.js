// One stream of changes for all tabs: a worker that they share holds it and passes on what
// comes. A tab in a browser without such workers opens the stream itself.
"use strict";
const ports = new Set();
let stream;
let last = "";
const tell = (message) => { for (const port of ports) port.postMessage(message); };
const open = () => {
  stream = new EventSource("/events");
  for (const kind of ["changed", "card", "scan", "locked"]) {
    stream.addEventListener(kind, (event) => {
      if (kind === "scan") {
        if (event.data === last) return;
        last = event.data;
        // One tab takes a scan: the one that was used last, which is the last that spoke.
        const port = active && ports.has(active) ? active : [...ports].at(-1);
        port?.postMessage({ kind });
        return;
      }
      tell({ kind });
    });
  }
};
let active;
self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  active = port;
  port.addEventListener("message", (message) => {
    if (message.data === "active") active = port;
    if (message.data === "bye") ports.delete(port);
  });
  port.start();
  if (!stream) open();
  else port.postMessage({ kind: "changed" });
});
