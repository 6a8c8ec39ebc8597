// Package wire is the terminal sync protocol, version 1: what a terminal sends, what the
// backend answers, and in which sizes.
//
// DESIGN.md beside this file tells how the parts play together; golden files hold its bytes.
// A backend understands every version from Oldest on.
package wire

import (
	"encoding/json"
	"math"
	"time"

	"madoguchi.example/shared/civil"
)

// Version of the protocol, as terminals write it.
const Version = 1

// Oldest is the version that backends still read. A version is read for a year after its
// successor came (ReadUntil), so that an agent that nobody brings up to date still syncs.
const Oldest = 0

// replaced gives the day on which the successor of each earlier version came.
var replaced = map[int]civil.Date{
	0: {Year: 2026, Month: time.November, Day: 22},
}

// ReadUntil is the first day on which backends may stop reading a version; false for one that
// has no successor yet.
func ReadUntil(version int) (civil.Date, bool) {
	day, ok := replaced[version]
	day.Year++
	return day, ok
}

// Limits of one batch and of its parts. Both sides hold them.
const (
	MaxBatchRecords = 200
	LiveRecords     = 16        // a terminal where more wait has a backlog: others go before it
	MaxBatchBytes   = 256 << 10 // after decompression
	MaxRecordBytes  = 16 << 10  // one record's Body
	MaxAnswers      = 200
	MaxAnswerBytes  = 16 << 10
)

// Bounds of the numbers that both sides count with.
const (
	MaxSequence = math.MaxInt64 // of a record: stores count so far
	MaxCursor   = math.MaxInt64 // of answers
	// MaxSlot is the longest that a backend may ask a terminal to stay away: terminals do not
	// honour more, and backends do not ask for more.
	MaxSlot = 6 * time.Hour
)

// WaitingHeader is the header of a request with records that says how many wait at the
// terminal, those of the batch included. It is a hint: a backend that has no room for a
// backlog can refuse it before it reads the batch. What counts is the batch.
const WaitingHeader = "Madoguchi-Waiting"

// Kind names what a record is. The backend hands the Body to the handler of its kind.
type Kind string

// The kinds.
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
	// Prev is the chain's hash before this record. On the way it stands only where it does
	// not follow from the record before it; DecodeBatch fills in the others.
	Prev Hash `json:"prev,omitzero"`
}

// Batch is a run of records in order of Sequence. One without records is a beat: it brings
// Health and asks how far the backend is.
type Batch struct {
	Version  int       `json:"version"`
	Terminal string    `json:"terminal"`
	SentAt   time.Time `json:"sent_at"`
	Records  []Record  `json:"records"`
	// ServerEpoch is the life of the backend's store that the terminal last heard of; empty
	// while it heard of none. A backend that is in another stores nothing of the batch: it
	// answers Retry to all, with its Marks, so that what it forgot comes first.
	ServerEpoch string `json:"server_epoch,omitempty"`
	// Epoch is the life of the terminal's queue that new records belong to.
	Epoch string `json:"epoch,omitempty"`
	// Behind counts the records that wait at the terminal beside these. It picks the lane.
	Behind int    `json:"behind,omitempty"`
	Clock  Clock  `json:"clock,omitzero"`
	Health string `json:"health,omitempty"` // compact JWS over Health, by the terminal's key
}

// Clock is what the terminal knows of its own clock.
type Clock struct {
	Boot        string `json:"boot"`         // names one run of the operating system
	MonotonicMS int64  `json:"monotonic_ms"` // since that boot
	OffsetMS    int64  `json:"offset_ms"`    // the backend's clock less ours, as last measured
	Trusted     bool   `json:"trusted"`      // measured since that boot
}

// Health is a terminal's summary of itself: counts, times and words, nothing of a person.
type Health struct {
	Terminal    string    `json:"terminal"`
	At          time.Time `json:"at"` // by the terminal's clock
	Version     string    `json:"version"`
	KeyClass    string    `json:"key_class"` // what guards the file: tpm2, systemd_credential, passphrase, key_file
	Pending     int       `json:"pending"`
	OldestAt    time.Time `json:"oldest_at,omitzero"`
	Stale       int       `json:"stale,omitempty"` // of the pending ones, those over the age limit
	Unanswered  int       `json:"unanswered"`
	DeadLetters int       `json:"dead_letters"`
	LastAck     time.Time `json:"last_ack,omitzero"`
	FileBytes   int64     `json:"file_bytes"`
	UsedBytes   int64     `json:"used_bytes"`
	PutAside    int       `json:"put_aside,omitempty"` // damaged files that lie beside
	Lost        int       `json:"lost,omitempty"`      // records that could not be salvaged from them
	Compacted   time.Time `json:"compacted,omitzero"`
	Clock       Clock     `json:"clock,omitzero"`
	Faults      []string  `json:"faults,omitempty"` // words of the terminal's own examination
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
	Version     int       `json:"version"`
	ServerEpoch string    `json:"server_epoch"` // changes when the backend was restored
	ServerTime  time.Time `json:"server_time"`
	Results     []Result  `json:"results"`
	// RetryAfterMS is the terminal's slot: it leaves the backend alone for so long.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
	// Marks tell how far the backend is: one for the batch's Epoch and for each epoch of its
	// records that it knows.
	Marks []Mark `json:"marks,omitempty"`
	// Forked: of an epoch that the batch names the backend has two histories. Another machine
	// goes under this terminal's name, such as one with a copy of its disk.
	Forked bool `json:"forked,omitempty"`
}

// Mark is the cumulative acknowledgement of one epoch: the backend has given its word on
// every record up to Through that reached it, and Head is the chain's hash after Through,
// countersigned (SignMark). Through is 0 and Head the epoch's Genesis before the first.
type Mark struct {
	Epoch     string `json:"epoch"`
	Through   uint64 `json:"through"`
	Head      Hash   `json:"head"`
	Key       string `json:"key,omitempty"`       // names the backend's receipt key in the profile
	Signature []byte `json:"signature,omitempty"` // Ed25519
}

// Nonce answers GET /terminal/v1/nonce: a fresh value that a terminal whose clock is wrong
// puts into its assertion in place of a time.
type Nonce struct {
	Nonce      string    `json:"nonce"`
	ServerTime time.Time `json:"server_time"`
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
