package check

import (
	"context"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// By is who does something at the desk.
type By struct{ Operator, OperatorID string }

// Messages of fault.Conflict, for faces to translate.
const (
	AlreadyAsked  = "already_asked"   // Undo: the question is out
	NothingToUndo = "nothing_to_undo" // Undo: no entry of this operator today
	IsCorrection  = "is_correction"   // Undo: a correction is corrected by another
	AlreadyVoided = "already_voided"  // Amend, Void: the record was taken back before
	TooManyParked = "too_many_parked" // Park: MaxParked wait
)

// Amend records e in place of an earlier record.
func (d *Desk) Amend(ctx context.Context, recordID string, e Entry) (casebook.Case, []Doubt, error) {
	return casebook.Case{}, nil, fault.New(fault.Unavailable, "records are not corrected yet")
}

// Void takes a record back.
func (d *Desk) Void(ctx context.Context, recordID string, reason eligibility.AmendReason, by By) error {
	return fault.New(fault.Unavailable, "records are not taken back yet")
}

// Undo takes the operator's last entry of today back.
func (d *Desk) Undo(ctx context.Context, by By) (Entry, error) {
	return Entry{}, fault.New(fault.Unavailable, "entries are not taken back yet")
}
