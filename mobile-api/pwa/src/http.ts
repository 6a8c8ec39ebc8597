// One request to the mobile API, without any session.

import type { Problem } from "./contract";
import { attempt } from "./line";

/** Unreachable: no answer came. Nothing may be concluded from it. */
export class Unreachable extends Error {}

/** Refused: the server answered with a problem document. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.code);
  }
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
}

export interface Answer {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: unknown;
}

const patience = 15_000; // ms until an answer counts as not coming

/** send throws Unreachable or Refused. */
export async function send(call: Call, token?: string): Promise<Answer> {
  const headers = new Headers(call.headers);
  headers.set("Accept", "application/json, application/problem+json");
  if (call.body !== undefined) headers.set("Content-Type", "application/json");
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  const line = attempt();
  let response: Response;
  let text: string;
  try {
    response = await fetch(call.path, {
      method: call.method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(patience),
    });
    text = await response.text();
  } catch {
    line.failed();
    throw new Unreachable("no answer");
  }
  line.answered();
  const body = parse(text);
  if (!response.ok && response.status !== 304) throw new Refused(problemOf(response.status, body));
  return { status: response.status, etag: response.headers.get("ETag") ?? undefined, body };
}

function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(status: number, body: unknown): Problem {
  if (typeof body === "object" && body !== null && "code" in body && typeof body.code === "string") {
    return { trace: "", ...(body as Partial<Problem>), code: body.code, status };
  }
  return { code: status >= 500 ? "unavailable" : "internal", status, trace: "" };
}
