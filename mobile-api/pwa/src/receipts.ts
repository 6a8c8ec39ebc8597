// Read receipts: noted at once, told to the server when there is a line.

import { api } from "./api";
import { Refused } from "./http";
import { change, get } from "./keep";

/** waiting lists the notices whose receipt the server has not taken yet. */
export const waiting = async (): Promise<readonly string[]> => (await get<string[]>("receipts")) ?? [];

/** opened notes that a notice was opened. */
export async function opened(id: string): Promise<void> {
  await change<string[]>("receipts", (old = []) => (old.includes(id) ? old : [...old, id]));
}

/** deliver sends what waits. A receipt that the server refuses for good is dropped. */
export async function deliver(): Promise<void> {
  for (const id of await waiting()) {
    try {
      await api({ method: "POST", path: `/v1/notices/${encodeURIComponent(id)}/read` });
    } catch (e) {
      if (!(e instanceof Refused) || ![403, 404, 422].includes(e.problem.status)) throw e;
    }
    await change<string[]>("receipts", (old = []) => old.filter((x) => x !== id));
  }
}
