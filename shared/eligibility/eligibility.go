// Package eligibility holds a health-insurance check: what is asked, what may come back,
// and the states between, in which "no answer" is never "invalid".
package eligibility

import (
	"log/slog"

	"madoguchi.example/shared/civil"
)

// Evidence is what the receptionist had in hand.
type Evidence string

// The kinds of evidence.
const (
	EvidenceCertificate     Evidence = "certificate"      // 資格確認書
	EvidenceNotice          Evidence = "notice"           // 資格情報のお知らせ, with the card
	EvidencePortalScreen    Evidence = "portal_screen"    // マイナポータル screen
	EvidencePastRecord      Evidence = "past_record"      // own record and the patient's word
	EvidenceSelfDeclaration Evidence = "self_declaration" // 被保険者資格申立書
)

// Cause says why a check was recorded without an answer at once.
type Cause string

// The causes.
const (
	CauseNone            Cause = "none"             // asked with a working line
	CauseLineDown        Cause = "line_down"        // no connection
	CauseNoAnswer        Cause = "no_answer"        // sent, nothing came in time
	CauseUnavailable     Cause = "unavailable"      // the other side said that it cannot answer now
	CauseTerminalStarted Cause = "terminal_started" // the terminal had just started
)

// Validity is the payer's word (資格有効性). The zero value means that there is none.
type Validity string

// The payer's words. There is no "invalid because nobody answered".
const (
	Valid         Validity = "valid"          // 有効
	Invalid       Validity = "invalid"        // 無効
	NewerCoverage Validity = "newer_coverage" // 無効（新しい資格あり）
	NoneFound     Validity = "none_found"     // 該当資格なし
	SeveralFound  Validity = "several_found"  // 複数該当
)

// State is how far a check has come.
type State string

// The states, in order. Only Answered carries a Validity.
const (
	Recorded State = "recorded" // durable at the terminal, 送信待ち
	Sent     State = "sent"     // the backend has it, 確認中
	Answered State = "answered" // the payer's word is here
	Refused  State = "refused"  // the backend refused the record: a person looks at it
)

// Inquiry is what the payer alone reads. Numbers are canonical: half-width, no blanks.
type Inquiry struct {
	RecordID      string     `json:"record_id"`
	InsurerNumber string     `json:"insurer_number"` // 保険者番号, 6 or 8 digits
	Symbol        string     `json:"symbol"`         // 記号, may be empty
	Number        string     `json:"number"`         // 番号
	Branch        string     `json:"branch"`         // 枝番, two digits or empty
	BirthDate     civil.Date `json:"birth_date"`
	VisitDay      civil.Date `json:"visit_day"`
}

// LogValue masks everything but the record's handle.
func (q Inquiry) LogValue() slog.Value {
	return slog.GroupValue(slog.String("record_id", q.RecordID))
}

// Answer is the payer's word for one inquiry, for its VisitDay.
type Answer struct {
	RecordID         string     `json:"record_id"`
	VisitDay         civil.Date `json:"visit_day"`
	Validity         Validity   `json:"validity"`
	InsurerNumber    string     `json:"insurer_number,omitempty"`
	InsurerName      string     `json:"insurer_name,omitempty"`
	Symbol           string     `json:"symbol,omitempty"`
	Number           string     `json:"number,omitempty"`
	Branch           string     `json:"branch,omitempty"`
	CopaymentPercent int        `json:"copayment_percent,omitempty"` // 負担割合: 10, 20 or 30
	ValidFrom        civil.Date `json:"valid_from,omitzero"`
	ValidTo          civil.Date `json:"valid_to,omitzero"` // zero: no end is known
	HolderKanji      string     `json:"holder_kanji,omitempty"`
	HolderKana       string     `json:"holder_kana,omitempty"`
}

// LogValue masks everything but the record's handle.
func (a Answer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("record_id", a.RecordID))
}
