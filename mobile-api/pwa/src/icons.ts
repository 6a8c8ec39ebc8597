// The few drawings, as inline SVG in the current colour, always beside a word.

const drawings = {
  check: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z", "m8 12.2 2.8 2.8L16 9.6"],
  clock: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z", "M12 7.5V12l3 2"],
  ring: ["M12 3a9 9 0 1 1-8.5 6"],
  bell: ["M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15Z", "M10 21h4"],
  octagon: ["M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.700V8.3Z", "M12 7.500v5.500", "M12 16.300v.2"],
  history: ["M4.600 7A9 9 0 1 1 3 12", "M4 3v4.500h4.500", "M12 7.500V12l3 2"],
  home: ["M3.500 11 12 4l8.500 7", "M5.500 9.500V20h13V9.500", "M10 20v-6h4v6"],
  certificate: ["M4 4h6v6H4Z", "M14 4h6v6h-6Z", "M4 14h6v6H4Z", "M14 14h2.500v2.500H14Z", "M20 14v2.500", "M17.500 20H20v-1", "M14 20v-.5"],
  letter: ["M3.500 5.500h17v13h-17Z", "m3.500 6.500 8.500 6.500 8.500-6.500"],
  person: ["M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z", "M4.500 20.500c.5-4 3.500-6 7.500-6s7 2 7.500 6"],
  next: ["m9 5 7 7-7 7"],
  back: ["m15 5-7 7 7 7"],
  counter: ["M4 21V8l8-5 8 5v13", "M2.500 21h19", "M8 12h8v5H8Z"],
  phone: ["M6 3.500h3l1.500 4.500-2 1.500a11 11 0 0 0 6 6l1.500-2 4.500 1.500v3c0 1.500-1 2.500-2.500 2.500C10.500 20 4 13.500 3.500 6 3.500 4.500 4.500 3.500 6 3.500Z"],
  phone_card: ["M7 3h10v18H7Z", "M10 7h4v4h-4Z", "M11 18h2"],
  file: ["M6 3.500h8l4 4v13H6Z", "M14 3.500v4h4", "M12 11v6", "m9.500 14.500 2.500 2.500 2.500-2.500"],
  save: ["M12 4v11", "m7 10.500 5 5 5-5", "M4 20h16"],
  print: ["M7 8.500V3.500h10v5", "M7 17H4V8.500h16V17h-3", "M7 14h10v6.500H7Z"],
  eye: ["M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12Z", "M12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Z"],
  offline: ["M3 3l18 18", "M5 12.500a10 10 0 0 1 4-2.400", "M2 9a15 15 0 0 1 4.500-2.800", "M19 12.500a10 10 0 0 0-5-2.600", "M22 9A15 15 0 0 0 11 5.100", "M8.500 16a5 5 0 0 1 6.500-.3", "M12 19.500v.1"],
} as const;

export type Icon = keyof typeof drawings;

const ns = "http://www.w3.org/2000/svg";

/** icon draws one, hidden from screen readers: the word beside it speaks. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS(ns, "svg");
  const attributes = {
    viewBox: "0 0 24 24", width: "24", height: "24", fill: "none", stroke: "currentColor",
    "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", focusable: "false", class: "icon",
  };
  for (const [k, v] of Object.entries(attributes)) svg.setAttribute(k, v);
  for (const d of drawings[name]) {
    const path = document.createElementNS(ns, "path");
    path.setAttribute("d", d);
    svg.appendChild(path);
  }
  return svg;
}
