// Package wire is the terminal sync protocol, version 0: what a terminal sends, what the
// backend answers, and in which sizes.
//
// DESIGN.md beside this file tells how the parts play together. Version 0 is free to
// change; golden files hold what it is today.
package wire

import (
	"encoding/json"
	"time"

	"madoguchi.example/shared/civil"
)

// Version of the protocol. A backend refuses others with fault.InvalidArgument.
const Version = 0

// Limits of one batch and of its parts. Both sides hold them.
const (
	MaxBatchRecords = 200
	MaxBatchBytes   = 256 << 10 // after decompression
	MaxRecordBytes  = 16 << 10  // one record's Body
	MaxAnswers      = 200
	MaxAnswerBytes  = 16 << 10
)

// Kind names what a record is. The backend hands the Body to the handler of its kind.
type Kind string

// The kinds of version 0.
const (
	KindEligibilityCheck        Kind = "eligibility.check"
	KindEligibilityOutcome      Kind = "eligibility.outcome"
	KindEligibilityAmendment    Kind = "eligibility.amendment"
	KindCertificateVerification Kind = "certificate.verification"
)

// Record is one thing that a terminal confirmed to the person at it. ID is made at
// capture and never changes; Sequence is gapless for a terminal and Epoch.
type Record struct {
	ID       string          `json:"id"`    // UUID version 7
	Epoch    string          `json:"epoch"` // names one life of the terminal's queue file
	Sequence uint64          `json:"seq"`
	Kind     Kind            `json:"kind"`
	At       time.Time       `json:"at"` // the terminal's wall clock, UTC; never used to order
	Body     json.RawMessage `json:"body"`
}

// Batch is a run of records in order of Sequence.
type Batch struct {
	Version  int       `json:"version"`
	Terminal string    `json:"terminal"`
	SentAt   time.Time `json:"sent_at"`
	Records  []Record  `json:"records"`
}

// Status is the backend's word on one record.
type Status string

// The statuses. Accepted and Duplicate are final and equal in effect; Rejected and
// Conflict are final and go to the dead-letter list; Retry means "keep it, send it again".
const (
	Accepted  Status = "accepted"
	Duplicate Status = "duplicate"
	Conflict  Status = "conflict"
	Rejected  Status = "rejected"
	Retry     Status = "retry"
)

// Result is the backend's word on one record of a batch.
type Result struct {
	ID     string `json:"id"`
	Status Status `json:"status"`
	Code   string `json:"code,omitempty"` // a fault.Code, for Rejected, Conflict and Retry
}

// Receipt answers a batch, in the order of its records.
type Receipt struct {
	Version      int       `json:"version"`
	ServerEpoch  string    `json:"server_epoch"` // changes when the backend was restored
	ServerTime   time.Time `json:"server_time"`
	Results      []Result  `json:"results"`
	RetryAfterMS int64     `json:"retry_after_ms,omitempty"`
}

// Answer is what came back for one record, sealed (age X25519) to the terminal's recipient.
// Cursor grows strictly within one terminal. With a Code there is no answer and Sealed is
// empty: the payer could not read the inquiry, and a person looks at the record.
type Answer struct {
	Cursor   uint64 `json:"cursor"`
	RecordID string `json:"record_id"`
	Sealed   []byte `json:"sealed"`
	Code     string `json:"code,omitempty"` // a fault.Code
}

// Answers is one page of answers; Cursor is what to ask after next.
type Answers struct {
	Version int      `json:"version"`
	Cursor  uint64   `json:"cursor"`
	Answers []Answer `json:"answers"`
}

// EligibilityCheck is the body of KindEligibilityCheck. Where the backend's payer is asked,
// the numbers are only inside Sealed (age X25519 to the payer's recipient); where the
// clinic's own terminal is asked, they do not leave the clinic and Payer and Sealed are
// empty. All else is handles, causes and times.
type EligibilityCheck struct {
	Route     string     `json:"route,omitempty"` // eligibility.Route; empty: payer
	Payer     string     `json:"payer"`           // names the recipient in the terminal's profile
	VisitDay  civil.Date `json:"visit_day"`       // the day to be answered for
	Cause     string     `json:"cause"`           // eligibility.Cause
	Evidence  string     `json:"evidence"`        // eligibility.Evidence
	Operator  string     `json:"operator"`        // handle of the operator at the terminal
	ElapsedMS int64      `json:"elapsed_ms"`
	Amends    string     `json:"amends,omitempty"` // the record that this one stands in place of
	Sealed    []byte     `json:"sealed,omitempty"` // an age file holding eligibility.Inquiry as JSON
}

// EligibilityOutcome is the body of KindEligibilityOutcome: what the clinic's own terminal
// answered to an earlier record, as one word and two times. No number, no name.
type EligibilityOutcome struct {
	Of        string     `json:"of"` // the check's record id
	VisitDay  civil.Date `json:"visit_day"`
	Validity  string     `json:"validity"` // eligibility.Validity
	Cause     string     `json:"cause"`    // eligibility.Cause, why it came late; none where it did not
	WaitedMS  int64      `json:"waited_ms"`
	Differing bool       `json:"differing"` // it came otherwise than the desk had assumed
}

// EligibilityAmendment is the body of KindEligibilityAmendment: an earlier record does not
// count any more. By names the record that stands in its place; empty where none does.
type EligibilityAmendment struct {
	Of       string `json:"of"`
	By       string `json:"by,omitempty"`
	Reason   string `json:"reason"`   // eligibility.AmendReason
	Operator string `json:"operator"` // handle of the operator at the terminal
}

// CertificateVerification is the body of KindCertificateVerification: no certificate id
// and no holder leaves the terminal.
type CertificateVerification struct {
	Format  string     `json:"format"`
	Outcome string     `json:"outcome"`
	Day     civil.Date `json:"day"`
}

// Enrolment is what a terminal sends once, with its one-time code.
type Enrolment struct {
	Code      string          `json:"code"`
	PublicKey json.RawMessage `json:"public_key"` // JWK, EC P-256, for private_key_jwt
	Recipient string          `json:"recipient"`  // age X25519 recipient that answers are sealed to
}

// Enrolled answers an Enrolment. TokenAudience is the "aud" that the backend wants in the
// terminal's assertions; the terminal cannot know it, since it may reach the backend under
// another address than the public one. Empty means the address it enrolled at with
// "/terminal/v1/token".
type Enrolled struct {
	Terminal      string `json:"terminal"`
	Office        string `json:"office"`
	TokenAudience string `json:"token_audience,omitempty"`
}
