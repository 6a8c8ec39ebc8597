package check

import (
	"context"
	"time"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// Asker asks the clinic's own 資格確認端末. oqsfolder.Exchange is one, behind an adapter for
// its Health. Asking twice under one RecordID is one question.
type Asker interface {
	Ask(ctx context.Context, q eligibility.Inquiry) error
	Health() Health
}

// Health is how the clinic's own terminal stands.
type Health struct {
	Ready      bool
	Fault      string // a word, where it is not ready
	LastAnswer time.Time
}

// Chase asks the clinic's own terminal what is due.
func (d *Desk) Chase(ctx context.Context) error {
	return fault.New(fault.Unavailable, "the clinic's own terminal is not asked yet")
}
