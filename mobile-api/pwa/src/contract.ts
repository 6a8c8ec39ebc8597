// The shapes of the mobile API that this app reads, as mobile-api/apiv1 declares them.

export interface Counter {
  readonly municipality: string;
  readonly name: string;
  readonly place: string;
  readonly phone: string;
  readonly hours: string;
}

export interface Problem {
  readonly code: string;
  readonly status: number;
  readonly trace: string;
  readonly places?: readonly string[];
  readonly counter?: Counter;
}

export interface TokenPair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

export interface Person {
  readonly id: string;
  readonly relation: "self" | "child";
  readonly name: string;
  readonly name_kana: string;
  readonly name_latin: string;
  readonly birth_date: string;
}

export interface Me {
  readonly municipality: string;
  readonly counter: Counter;
  readonly people: readonly Person[];
}

export type Use = "domestic" | "overseas";

export interface Dose {
  readonly number: number;
  readonly product: string;
  readonly on: string;
  readonly lot: string;
}

export interface Certificate {
  readonly id: string;
  readonly person: string;
  readonly person_name: string;
  readonly birth_date: string;
  readonly use: Use;
  readonly issued_at: string;
  readonly issuer: string;
  readonly doses: readonly Dose[];
  readonly qr_text: string;
  readonly qr_png: string;
  readonly superseded: boolean;
}

export interface Text {
  readonly language: string;
  readonly title: string;
  readonly body: string;
}

export interface Notice {
  readonly id: string;
  readonly number: string;
  readonly kind: "information" | "action";
  readonly from: string;
  readonly phone: string;
  readonly sent_at: string;
  readonly deadline?: string;
  readonly read_at?: string | null;
  readonly texts: readonly Text[];
}

export interface Access {
  readonly at: string;
  readonly who: string;
  readonly purpose: string;
  readonly action: string;
  readonly items: readonly string[] | null;
}
