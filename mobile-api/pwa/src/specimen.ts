// A specimen's picture. The mark is drawn into the picture and across the code: however it
// is kept, copied or printed, it is a specimen, and no reader takes it for more.

import { h } from "./dom";

const side = 900; // pixels of the drawing
const words = "見本 SPECIMEN"; // in every language: whoever looks at it may read another

/** specimen gives the picture with its mark; data-drawn says that it is there. */
export function specimen(png: string, alt: string): HTMLCanvasElement {
  const canvas = h("canvas", { width: side, height: side, role: "img", "aria-label": alt, id: "qr" });
  const code = new Image();
  code.onload = () => draw(canvas, code);
  code.src = "data:image/png;base64," + png;
  return canvas;
}

function draw(canvas: HTMLCanvasElement, code: HTMLImageElement): void {
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, side, side);
  pen.globalAlpha = 0.35;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(code, 0, 0, side, side);
  pen.globalAlpha = 1;
  pen.translate(side / 2, side / 2);
  pen.rotate(-Math.PI / 6);
  for (const at of [-300, 0, 300]) band(pen, at);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  canvas.dataset["drawn"] = "yes";
}

/** band is a white bar with the words, wide enough to hide what a reader needs. */
function band(pen: CanvasRenderingContext2D, at: number): void {
  pen.fillStyle = "#fff";
  pen.fillRect(-side, at - 62, 2 * side, 124);
  pen.fillStyle = "#ce0000";
  pen.font = "700 84px 'Hiragino Sans', 'Noto Sans JP', 'Noto Sans CJK JP', Meiryo, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(words, 0, at);
}
