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
  readonly reason?: string; // what is wrong with the passport's lines
  readonly reference?: string; // names this refusal at the counter
  readonly correction?: CorrectionKind; // the kind of correction that helps
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
  readonly reference?: string;
  readonly person: string;
  readonly person_name: string;
  readonly birth_date: string;
  readonly use: Use;
  readonly issued_at: string;
  readonly issuer: string;
  readonly doses: readonly Dose[];
  readonly qr_text: string;
  readonly qr_png: string;
  readonly file?: string;
  readonly renderings?: readonly Rendering[] | null;
  readonly left_out?: readonly LeftOut[] | null;
  readonly superseded: boolean;
  readonly revoked_at?: string;
  readonly revoked_for?: string;
}

/** Where a rendering is shown. */
export type Where = "domestic" | "overseas_clinic" | "border" | "eu_who";

export interface Rendering {
  readonly format: string;
  readonly title: string;
  readonly qr_text: string;
  readonly qr_png: string;
  readonly file?: string;
  readonly file_name?: string;
  readonly specimen: boolean;
  readonly where: Where;
  readonly doses: number;
}

export interface LeftOut {
  readonly format: string;
  readonly title: string;
  readonly why: "no_passport" | "no_code" | "too_large" | "no_signer" | "no_name";
}

export interface WalletOffer {
  readonly offer_uri: string;
  readonly qr_png: string;
  readonly tx_code: string;
  readonly expires_at: string;
}

export type CorrectionKind = "missing" | "wrong" | "name";

export interface Correction {
  readonly reference: string;
  readonly person: string;
  readonly kind: CorrectionKind;
  readonly certificate?: string;
  readonly dose?: number;
  readonly words: string;
  readonly state: "open" | "corrected" | "nothing_to_correct";
  readonly asked_at: string;
  readonly answer?: string;
  readonly answered_at?: string;
  readonly counter: Counter;
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
  readonly about?: About;
}

/** About names what a notice is about, where the app can show more than it says. */
export interface About {
  readonly kind: "benefit" | "offer" | "certificate" | "correction";
  readonly id: string;
}

/** Sentence is a name or a sentence in one language. */
export interface Sentence {
  readonly language: string;
  readonly text: string;
}

export interface Benefit {
  readonly id: string;
  readonly name: readonly Sentence[];
  readonly basis: string;
  readonly month: string;
  readonly amount?: number;
  readonly state: "open_question" | "must_apply" | "noticed" | "proven" | "silent" | "refused" | "listed" | "approved" | "withdrawn";
  readonly answer_by?: string;
  readonly pay_on?: string;
  readonly notice?: string;
  readonly decided_at: string;
  readonly refusable: boolean;
  readonly children: readonly BenefitChild[] | null;
  readonly steps: readonly Reason[] | null;
  readonly needs: readonly (readonly Sentence[])[] | null;
  readonly timeline: readonly Milestone[] | null;
}

export interface BenefitChild {
  readonly name: string;
  readonly birth_date: string;
  readonly amount?: number;
}

export interface Reason {
  readonly article: string;
  readonly parameter?: { readonly source: string; readonly valid_from: string };
  readonly texts: readonly Sentence[];
}

export interface Milestone {
  readonly what: "decided" | "noticed" | "delivered" | "deadline" | "refused" | "approved" | "payment" | "withdrawn";
  readonly on: string;
}

export type Answer = "accepted" | "declined";

export interface Offer {
  readonly id: string;
  readonly name: readonly Sentence[];
  readonly what: readonly Sentence[];
  readonly from: readonly Sentence[];
  readonly cost: readonly Sentence[];
  readonly how: readonly Sentence[];
  readonly notice: string;
  readonly sent_at: string;
  readonly answer?: Answer;
  readonly answered_at?: string;
  readonly open: boolean;
}

export interface Access {
  readonly at: string;
  readonly who: string;
  readonly purpose: string;
  readonly action: string;
  readonly items: readonly string[] | null;
}
