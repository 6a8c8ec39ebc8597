// What a person has written for a correction and not sent yet. It stays on the phone over
// reloads and without a line. Words that could be a My Number are not kept.

import type { CorrectionKind } from "./contract";
import { forget, get, put } from "./keep";

export interface Draft {
  readonly person: string;
  readonly kind: CorrectionKind;
  readonly about: string; // "<certificate>/<dose>", "" where it is about none
  readonly words: string;
}

/** draft gives what waits, undefined when nothing was written. */
export async function draft(): Promise<Draft | undefined> {
  const kept = await get<Draft>("draft");
  return kept !== undefined && kept.words.trim() !== "" ? kept : undefined;
}

export const keepDraft = (d: Draft): Promise<void> => put<Draft>("draft", mayBeMyNumber(d.words) ? { ...d, words: "" } : d);
export const forgetDraft = (): Promise<void> => forget("draft");

/** mayBeMyNumber is generous: twelve digits, whatever stands between them. */
const mayBeMyNumber = (words: string): boolean => /(\d[\s\-・.]*){12}/.test(words.normalize("NFKC"));
