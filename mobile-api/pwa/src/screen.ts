// What a screen is: a title and nodes, drawn anew when its data changes unless a person is
// filling it in.

import type { Phrase } from "./words";

export interface Screen {
  /** The page's name: its h1 where `heading` is not given, and the window's title. */
  readonly title: Phrase;
  readonly nodes: readonly Node[];
  /** The way up, above the heading. */
  readonly above?: Node;
  /** The nodes hold their own h1. */
  readonly ownHeading?: boolean;
  /** Not drawn anew by itself: a form, or a page with its own state. */
  readonly still?: boolean;
  /** Without the four places, so that the page has the whole window. */
  readonly bare?: boolean;
  /** Wider than a column of text. */
  readonly wide?: boolean;
  /** Called when the screen is left. */
  readonly leave?: () => void;
  /** Called instead when the screen was made and never shown. */
  readonly unused?: () => void;
}

export interface Visit {
  readonly path: string;
  readonly id: string; // the path's {id}, "" where there is none
  readonly query: URLSearchParams;
}

export type Draw = (visit: Visit) => Promise<Screen>;
