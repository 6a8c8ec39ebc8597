// What a certificate is to whoever shows it: in which forms, and whether it may be shown.

import type { Certificate, Rendering, Use } from "./contract";
import { change, type Dated } from "./keep";

/** renderings are all forms of a certificate; one that was kept before there were several has one. */
export function renderings(c: Certificate): readonly Rendering[] {
  if (c.renderings && c.renderings.length > 0) return c.renderings;
  return [{
    format: "shc",
    title: "SMART Health Card",
    qr_text: c.qr_text,
    qr_png: c.qr_png,
    ...(c.file ? { file: c.file } : {}),
    specimen: false,
    where: c.use === "domestic" ? "domestic" : "overseas_clinic",
    doses: c.doses.length,
  }];
}

/** good: to be shown; newer: too, but a newer record exists; revoked: not to be shown. */
export type Standing = "good" | "newer" | "revoked";

export function standing(c: Certificate, all: readonly Certificate[]): Standing {
  if (c.revoked_at) return "revoked";
  const newer = all.some((x) => x.person === c.person && x.use === c.use && x.issued_at > c.issued_at && !x.superseded && !x.revoked_at);
  return c.superseded || newer ? "newer" : "good";
}

/** current is the one to show for a use: the newest that was not revoked. The list is newest first. */
export function current(all: readonly Certificate[], person: string, use: Use): Certificate | undefined {
  const those = all.filter((c) => c.person === person && c.use === use);
  return those.find((c) => !c.revoked_at) ?? those[0];
}

/** askAgain is where the same is asked for once more. */
export const askAgain = (c: Certificate): string => `/app/certificates/new?person=${c.person}&use=${c.use}`;

/** keepCertificate puts it first; the list's ETag no longer fits. */
export async function keepCertificate(c: Certificate): Promise<void> {
  await change<Dated<readonly Certificate[]>>("certificates", (old) => ({
    value: [c, ...(old?.value ?? []).filter((x) => x.id !== c.id)],
    at: Date.now(),
  }));
}
