// Package eligibility holds a health-insurance check: what is asked, what may come back,
// and the states between, in which "no answer" is never "invalid".
package eligibility

import (
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/shared/civil"
)

// Evidence is what the receptionist had in hand.
type Evidence string

// The kinds of evidence.
const (
	EvidenceCardPIN         Evidence = "card_pin"         // My Number Card and its PIN: who, but no insurance numbers
	EvidenceFaceReader      Evidence = "face_reader"      // 顔認証付きカードリーダー: its result came with the answer
	EvidenceVisual          Evidence = "visual_check"     // 目視確認: staff compared the photo
	EvidenceCertificate     Evidence = "certificate"      // 資格確認書
	EvidenceNotice          Evidence = "notice"           // 資格情報のお知らせ, with the card
	EvidencePortalScreen    Evidence = "portal_screen"    // マイナポータル screen
	EvidencePastRecord      Evidence = "past_record"      // own record and the patient's word
	EvidenceSelfDeclaration Evidence = "self_declaration" // 被保険者資格申立書
)

// Cause says why a check was recorded without an answer at once.
type Cause string

// The causes. Each part that can fail has a pair: before the question went out, and after
// it, when it may have arrived though no answer came.
const (
	CauseNone            Cause = "none"                // asked with a working line
	CauseReaderBefore    Cause = "reader_before"       // card reader, face-recognition reader
	CauseReaderAfter     Cause = "reader_after"        //
	CauseCardBefore      Cause = "card_before"         // the card: unreadable, blocked, expired, not there
	CauseCardAfter       Cause = "card_after"          //
	CauseLineBefore      Cause = "line_before"         // no connection
	CauseLineAfter       Cause = "line_after"          // the connection broke, or nothing came in time
	CauseTheirsBefore    Cause = "their_system_before" // 資格確認端末, the national system or the payer said that it cannot
	CauseTheirsAfter     Cause = "their_system_after"  // it took the question and ended abnormally
	CausePowerBefore     Cause = "power_before"        // the power was out
	CausePowerAfter      Cause = "power_after"         //
	CauseOursBefore      Cause = "ours_before"         // this terminal: just started, disk, configuration
	CauseOursAfter       Cause = "ours_after"          //
	causeLineDown        Cause = "line_down"           // as terminals of before 2026-11-22 wrote it
	causeNoAnswer        Cause = "no_answer"           //
	causeUnavailable     Cause = "unavailable"         //
	causeTerminalStarted Cause = "terminal_started"    //
)

// Causes lists the causes that a person may choose from, none among them.
func Causes() []Cause {
	return []Cause{
		CauseNone, CauseReaderBefore, CauseReaderAfter, CauseCardBefore, CauseCardAfter, CauseLineBefore, CauseLineAfter,
		CauseTheirsBefore, CauseTheirsAfter, CausePowerBefore, CausePowerAfter, CauseOursBefore, CauseOursAfter,
	}
}

// Known tells whether c is a cause of the vocabulary, today's or an earlier one's.
func (c Cause) Known() bool {
	switch c {
	case causeLineDown, causeNoAnswer, causeUnavailable, causeTerminalStarted:
		return true
	}
	return slices.Contains(Causes(), c)
}

// Evidences lists the kinds of evidence.
func Evidences() []Evidence {
	return []Evidence{
		EvidenceCardPIN, EvidenceFaceReader, EvidenceVisual, EvidenceCertificate, EvidenceNotice,
		EvidencePortalScreen, EvidencePastRecord, EvidenceSelfDeclaration,
	}
}

// Route says who is asked.
type Route string

// The routes.
const (
	RouteTerminal Route = "terminal" // the clinic's own 資格確認端末, the default
	RoutePayer    Route = "payer"    // a payer behind the backend
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
	CheckFailed   Validity = "error"          // the check itself ended with an error: says nothing of the coverage
)

// State is how far a check has come.
type State string

// The states. Only Answered and Reviewed carry a Validity.
const (
	Recorded State = "recorded" // durable at the terminal, but nothing in it can be asked yet: numbers are missing
	Queued   State = "queued"   // durable and waiting to be asked, 送信待ち
	Sent     State = "sent"     // the question is out, 確認中
	Answered State = "answered" // the word is here
	Reviewed State = "reviewed" // a person has looked at an answer that differed
	Refused  State = "refused"  // it cannot be asked as it is: a person looks at it
	Voided   State = "voided"   // a later record takes it back or stands in its place
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
	// What follows only 資格確認端末 tell.
	BirthDate civil.Date `json:"birth_date,omitzero"`
	Reference string     `json:"reference,omitempty"`  // 照会番号, the clinic's own
	Notes     []Note     `json:"notes,omitempty"`      // remarks of the answering system, at most MaxNotes
	Consents  []Consent  `json:"consents,omitempty"`   // at most MaxConsents
	ErrorCode string     `json:"error_code,omitempty"` // with CheckFailed
	Elderly   string     `json:"elderly,omitempty"`    // 高齢受給者証: its share as told
	Ceiling   string     `json:"ceiling,omitempty"`    // 限度額: the class as told
	Diseases  []string   `json:"diseases,omitempty"`   // 特定疾病 codes as told
}

// Note is one remark of the answering system, in its own words.
type Note struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text"`
}

// ConsentKind is what a patient allowed at the card reader.
type ConsentKind string

// The kinds of consent.
const (
	ConsentDrugs     ConsentKind = "drugs"     // 薬剤情報
	ConsentDiagnosis ConsentKind = "diagnosis" // 診療情報
	ConsentOperation ConsentKind = "operation" // 手術情報
	ConsentCheckups  ConsentKind = "checkups"  // 特定健診情報
	ConsentCeiling   ConsentKind = "ceiling"   // 限度額
	ConsentDiseases  ConsentKind = "diseases"  // 特定疾病
)

// Consent is one answer of the patient at the card reader.
type Consent struct {
	Kind  ConsentKind `json:"kind"`
	Given bool        `json:"given"`
	At    time.Time   `json:"at,omitzero"`
	Until time.Time   `json:"until,omitzero"` // the data may be fetched until then
}

// LogValue masks everything but the record's handle.
func (a Answer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("record_id", a.RecordID))
}
