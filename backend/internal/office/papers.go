package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

// Certificates is what the console does with vaccination certificates and with what people
// ask to be corrected. Each call is scoped to the officer's municipality, checks their role
// again and is recorded; a protected person is nobody to all but protectors.
//
// A fault of what was typed is told with the field's name in its place: "reference",
// "answer", "words", "reason".
type Certificates interface {
	// Corrections gives the open requests, oldest first. They name nobody.
	Corrections(ctx context.Context, who actor.Staff, limit int) ([]Correction, error)
	Correction(ctx context.Context, who actor.Staff, reference string) (CorrectionDetail, error)
	Answer(ctx context.Context, who actor.Staff, reference, answer, words string) error
	// Find gives what a certificate's or a refusal's reference names.
	Find(ctx context.Context, who actor.Staff, reference string) (Paper, error)
	Revoke(ctx context.Context, who actor.Staff, reference, reason string) error
}

// The answers to a request.
const (
	AnswerCorrected = "corrected"
	AnswerNothing   = "nothing_to_correct"
	answerOpen      = "open"
)

// Correction is one line of the queue.
type Correction struct {
	Reference string
	Kind      string // missing, wrong, name
	Since     time.Time
}

// CorrectionDetail is what somebody says, beside what is on record.
type CorrectionDetail struct {
	Correction
	Holder      Holder
	BySelf      bool // else a parent asked
	Dose        int  // or 0
	Words       string
	OnRecord    []Vaccination
	Certificate string // reference of the certificate that the request is about, or ""
	State       string // open, corrected, nothing_to_correct
	Answer      string
	AnsweredAt  time.Time
}

// Holder is whom a record is about.
type Holder struct {
	Name, Kana, Latin string
	Birth             civil.Date
}

// Vaccination is one record.
type Vaccination struct {
	Number          int
	Product, Lot    string
	On              civil.Date
	Performer, From string // From is the municipality that keeps it; "" on a certificate
}

// Paper is a certificate as it was issued, or one that was refused.
type Paper struct {
	Reference  string
	Holder     Holder
	At         time.Time
	Refused    string   // why there is none: a fault's code or a reason; "" for a certificate
	Use        string   // domestic, overseas
	Formats    []string // titles
	States     []Vaccination
	OnRecord   []Vaccination
	Revoked    time.Time // zero while it is good
	RevokedFor string    // correction, request, key
}
