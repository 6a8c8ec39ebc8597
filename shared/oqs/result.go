package oqs

import (
	"log/slog"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
)

// Segment says whether the document carries an answer (SegmentOfResult).
type Segment string

// The segments. Only Done carries Items.
const (
	Done       Segment = "done"        // 1
	InProgress Segment = "in_progress" // 2: ask again later
	Abnormal   Segment = "abnormal"    // 9: ended, ErrorCode says why; no word on the coverage
	OtherEnd   Segment = "other"       // a code that is not known here: taken as abnormal
)

// Reference says what was asked with (ReferenceClassification).
type Reference string

// The references.
const (
	ByCard    Reference = "card"    // 1 マイナンバーカード
	ByNumbers Reference = "numbers" // 2 insurer, symbol, number
)

// Result is OQSsiquc01res, a face reader's result, or OQSmuquc02res. It holds personal
// data and masks itself in logs and formatting.
type Result struct {
	Identifier      string // ArbitraryFileIdentifier, as we sent it
	ForDay          civil.Date
	ExecutedAt      time.Time // when the terminal wrote it
	Institution     string
	Reference       Reference
	Segment         Segment
	ErrorCode       string // with Abnormal
	ErrorMessage    string
	ReceptionNumber string // bulk alone
	Encoding        Encoding
	Items           []Item // in the document's order; one for each coverage, at least one for each person
	Remarks         []Remark
}

// Status is the outcome of one person's check (ProcessingResultStatus).
type Status string

// The statuses.
const (
	StatusOK    Status = "ok"    // 1
	StatusError Status = "error" // 2
	StatusOther Status = "other" // not told, or a code that is not known here
)

// Item is what was told for one person: with one coverage, or with none.
type Item struct {
	Identifier   string // ArbitraryIdentifier of the person's search
	Asked        Asked  // the search, as echoed
	Status       Status
	Code         string // ProcessingResultCode: an error's, or a remark's beside a good answer
	Message      string // its text: a certificate that expires within 3 months
	Validity     eligibility.Validity
	ValidityCode string // as told
	Prescription Prescription
	Reference    string    // 照会番号, the clinic's own number of the patient
	Coverage     *Coverage // nil where none was told
}

// Prescription is the form that the patient chose (PrescriptionIssueSelect).
type Prescription string

// The forms.
const (
	Electronic Prescription = "electronic" // 1
	Paper      Prescription = "paper"      // 2
)

// Asked is the search as a document echoes it, canonical where it can be read.
type Asked struct {
	Insurer   insurance.InsurerNumber
	Symbol    string
	Number    string
	Branch    string
	BirthDate civil.Date
}

// Coverage is ResultOfQualificationConfirmation. Codes that have no constant here are kept
// as told; dates and times that cannot be read are left out, with a Remark.
type Coverage struct {
	CardClass       string // InsuredCardClassification: 01 一般 to 07 自衛官, A1 医療扶助
	Insurer         insurance.InsurerNumber
	InsurerDoubts   []insurance.Doubt
	InsurerName     string
	Symbol          string
	Number          string
	Branch          string
	Family          Family
	InsuredName     string // of the insured person, who may be another
	Name            string
	NameOfOther     string
	NameKana        string // half-width katakana, as told
	NameOfOtherKana string
	Sex             string // ISO 5218, from Sex1: 1, 2; 0 not set
	SexOther        string // Sex2, likewise
	BirthDate       civil.Date
	Address         string
	PostNumber      string
	From            civil.Date // 資格取得日
	Lost            civil.Date // 資格喪失日: the first day without the coverage
	CardIssued      civil.Date
	CardFrom        civil.Date
	CardTo          civil.Date
	Share           string // InsuredPartialContributionRatio, as told: 010
	Preschool       string // PreschoolClassification: 1 未就学
	Loss            Loss
	Elderly         *Elderly
	Ceiling         *Ceiling
	Diseases        []Disease
	PublicExpense   []Ticket
	Consents        []eligibility.Consent // the flags that were told, given or not
}

// Family says whether the person is the insured one (PersonalFamilyClassification).
type Family string

// The relations; other codes are kept as told.
const (
	Insured   Family = "insured"   // 1 本人
	Dependant Family = "dependant" // 2 家族
)

// Loss is ReasonOfLoss; other codes are kept as told.
type Loss string

// The reasons.
const (
	LossDeath        Loss = "death"         // 01 死亡
	LossWelfare      Loss = "welfare"       // 02 生活保護
	LossOtherInsurer Loss = "other_insurer" // 03 他保険取得
	LossOther        Loss = "other"         // 99
)

// Span is a certificate's issue and validity.
type Span struct{ Issued, From, To civil.Date }

// Elderly is 高齢受給者証.
type Elderly struct {
	Span
	Share string // as told: 020
}

// Ceiling is 限度額適用認定証.
type Ceiling struct {
	Span
	Classification string // LimitApplicationCertificateClassification, as told: 01…
	Class          string // the ceiling's class: A01 ア … B10
	LongTermFrom   civil.Date
}

// Disease is one 特定疾病療養受療証.
type Disease struct {
	Span
	Category string // 1 透析, 2 血液凝固, 3 HIV, as told
	SelfPay  string // yen a month, as told
}

// Ticket is one 医療券 or 調剤券 of medical aid. Names of diseases and of officers in it are
// not taken: reception does not need them.
type Ticket struct {
	Span
	Type        string
	IssueNumber string
	Month       string // yyyyMM
	Institution string
	SelfPay     string
}

// Reception is OQSmuquc01res: a bulk request was accepted, or was not.
type Reception struct {
	Identifier      string
	ExecutedAt      time.Time
	Institution     string
	Segment         Segment
	ErrorCode       string
	ErrorMessage    string
	ReceptionNumber string // what BulkCollect asks with; empty where it was not accepted
	Encoding        Encoding
	Remarks         []Remark
}

// LogValue tells the handle, the segment and the count alone.
func (r Result) LogValue() slog.Value {
	return slog.GroupValue(slog.String("identifier", r.Identifier), slog.String("segment", string(r.Segment)), slog.Int("items", len(r.Items)))
}

// String masks all of it.
func (Result) String() string { return "***" }

// LogValue masks all of it.
func (Item) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Item) String() string { return "***" }

// LogValue masks all of it.
func (Coverage) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Coverage) String() string { return "***" }

// LogValue masks all of it.
func (Asked) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Asked) String() string { return "***" }
