// This device's registration for pushes.

import { api } from "./api";
import { get, put } from "./keep";
import { practice } from "./push/practice";
import type { PushTokens } from "./push/tokens";
import { word } from "./random";
import { language } from "./words";

interface Device {
  readonly id: string;
  readonly registered?: string; // the language it was registered with
}

const tokens: PushTokens = practice;

/** Pushing says how pushes stand on this device. */
export type Pushing = "on" | "off" | "blocked" | "unsupported";

export async function pushing(): Promise<Pushing> {
  if (!("serviceWorker" in navigator) || !("Notification" in window)) return "unsupported";
  if (Notification.permission === "denied") return "blocked";
  return (await get<Device>("device"))?.registered === undefined ? "off" : "on";
}

/** register asks the person for permission, then tells the server where pushes go. */
export async function register(): Promise<Pushing> {
  if ((await Notification.requestPermission()) !== "granted") return pushing();
  await tellServer((await get<Device>("device")) ?? { id: word(18) });
  return pushing();
}

/** unregister ends pushes to this device. */
export async function unregister(): Promise<void> {
  const d = await get<Device>("device");
  if (d?.registered === undefined) return;
  await api({ method: "DELETE", path: `/v1/devices/${d.id}` });
  await tokens.revoke(d.id);
  await put<Device>("device", { id: d.id });
}

/** forgetDevice is for signing out without a line: the next sign-in starts afresh. */
export async function forgetDevice(): Promise<void> {
  const d = await get<Device>("device");
  if (d !== undefined) await put<Device>("device", { id: word(18) });
}

/** renewDevice tells the server when the language has changed since. */
export async function renewDevice(): Promise<void> {
  const d = await get<Device>("device");
  if (d?.registered !== undefined && d.registered !== language()) await tellServer(d);
}

async function tellServer(d: Device): Promise<void> {
  const token = await tokens.issue(d.id);
  const body = { transport: "fcm", token, language: language() };
  await api({ method: "PUT", path: `/v1/devices/${d.id}`, body });
  await put<Device>("device", { id: d.id, registered: language() });
}
