// Every page of the app. The server answers each of these paths with index.html; the list
// in ../embed.go is the same, kept so by a test.

import type { Draw } from "./screen";
import { access } from "./screens/access";
import { ask } from "./screens/ask";
import { benefit } from "./screens/benefit";
import { benefits } from "./screens/benefits";
import { certificate } from "./screens/certificate";
import { certificates } from "./screens/certificates";
import { correct } from "./screens/correct";
import { correction } from "./screens/correction";
import { corrections } from "./screens/corrections";
import { counter } from "./screens/counter";
import { home } from "./screens/home";
import { me } from "./screens/me";
import { missing } from "./screens/missing";
import { notice } from "./screens/notice";
import { notices } from "./screens/notices";
import { offer } from "./screens/offer";
import { signIn } from "./screens/sign-in";
import { signOut } from "./screens/sign-out";
import { welcome } from "./screens/welcome";
import { which } from "./screens/which";

export interface Route {
  readonly path: string;
  readonly draw: Draw;
  /** Works for a person who is not signed in and has nothing kept. */
  readonly open?: boolean;
}

export const routes: readonly Route[] = [
  { path: "/app/", draw: home },
  { path: "/app/sign-in", draw: signIn, open: true },
  { path: "/app/counter", draw: counter, open: true },
  { path: "/app/certificates", draw: certificates },
  { path: "/app/certificates/new", draw: ask },
  { path: "/app/certificates/which", draw: which },
  { path: "/app/certificates/{id}", draw: certificate },
  { path: "/app/corrections", draw: corrections },
  { path: "/app/corrections/new", draw: correct },
  { path: "/app/corrections/{id}", draw: correction },
  { path: "/app/notices", draw: notices },
  { path: "/app/notices/{id}", draw: notice },
  { path: "/app/benefits", draw: benefits },
  { path: "/app/benefits/{id}", draw: benefit },
  { path: "/app/offers/{id}", draw: offer },
  { path: "/app/me", draw: me },
  { path: "/app/me/access", draw: access },
  { path: "/app/me/sign-out", draw: signOut },
];

export interface Found {
  readonly draw: Draw;
  readonly id: string;
}

/** find gives the page of a path; a stranger gets the first opening instead. */
export function find(path: string, stranger: boolean): Found {
  for (const r of routes) {
    const id = match(r.path, path);
    if (id !== undefined) return { draw: stranger && !r.open ? welcome : r.draw, id };
  }
  return { draw: missing, id: "" };
}

function match(pattern: string, path: string): string | undefined {
  if (!pattern.endsWith("{id}")) return pattern === path ? "" : undefined;
  const before = pattern.slice(0, -"{id}".length);
  const id = path.slice(before.length);
  return path.startsWith(before) && /^[A-Za-z0-9_-]+$/.test(id) ? id : undefined;
}
