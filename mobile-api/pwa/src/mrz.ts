// The two lines at the foot of a passport's page with the photograph (ICAO Doc 9303, part 4,
// TD3). Nothing is read out of them here; this says only whether they were copied without
// a slip. The names of the slips are those that the server uses.

export const lineLength = 44;

export type Slip =
  | "length"
  | "characters"
  | "document"
  | "name_form"
  | "number_check"
  | "birth_date_check"
  | "expiry_check"
  | "optional_check"
  | "composite_check";

/** tidy forgives what hands and keyboards do: small letters, full width, blanks, other brackets. */
export function tidy(typed: string): string {
  return typed
    .normalize("NFKC")
    .toUpperCase()
    .replace(/[\s\u200b\u200e\u200f\ufeff]/g, "")
    .replace(/[‹〈]/g, "<")
    .replace(/[«≪《]/g, "<<");
}

/** slips names what is wrong with one line: with the upper one (0) or the lower one (1). */
export function slips(line: 0 | 1, text: string): readonly Slip[] {
  if (!/^[A-Z0-9<]*$/.test(text)) return ["characters"];
  if (text.length !== lineLength) return ["length"];
  return line === 0 ? upper(text) : lower(text);
}

function upper(text: string): readonly Slip[] {
  if (!/^P[A-Z<][A-Z<]{3}/.test(text)) return ["document"];
  return /^[A-Z][A-Z<]*$/.test(text.slice(5)) ? [] : ["name_form"];
}

function lower(text: string): readonly Slip[] {
  const found: Slip[] = [];
  if (!holds(text.slice(0, 9), text[9])) found.push("number_check");
  if (!holds(text.slice(13, 19), text[19])) found.push("birth_date_check");
  if (!holds(text.slice(21, 27), text[27])) found.push("expiry_check");
  const optional = text.slice(28, 42);
  const none = text[42] === "<" && /^<*$/.test(optional); // nothing there: the digit may be left out
  if (!none && !holds(optional, text[42])) found.push("optional_check");
  if (found.length > 0) return found;
  return holds(text.slice(0, 10) + text.slice(13, 20) + text.slice(21, 43), text[43]) ? [] : ["composite_check"];
}

const weights = [7, 3, 1];

function holds(field: string, digit: string | undefined): boolean {
  const sum = [...field].reduce((n, c, i) => n + worth(c) * (weights[i % 3] ?? 0), 0);
  return digit === String(sum % 10);
}

/** worth of a character: 0 to 9, A is 10, the filler is 0. */
const worth = (c: string): number => (c === "<" ? 0 : parseInt(c, 36));
