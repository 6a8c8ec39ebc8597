package check

import (
	"context"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// Face is a result of the face-recognition reader that waits for a person: none or several
// open rows of today could be meant.
type Face struct {
	ID      string // a handle, for AssignFace and Entry.Face
	File    string
	TakenAt time.Time
	Answer  eligibility.Answer // RecordID is empty
	Fits    []View             // today's open rows with the same birth date and kana
}

// Faces lists what waits, newest first.
func (d *Desk) Faces(ctx context.Context) ([]Face, error) {
	return nil, fault.New(fault.Unavailable, "results of the face reader are not read yet")
}

// AssignFace puts a waiting result on a row by a person's choice.
func (d *Desk) AssignFace(ctx context.Context, faceID, recordID string, by By) (casebook.Case, error) {
	return casebook.Case{}, fault.New(fault.Unavailable, "results of the face reader are not read yet")
}

// DropFace takes a waiting result off the list: no patient of this desk.
func (d *Desk) DropFace(ctx context.Context, faceID string, by By) error {
	return fault.New(fault.Unavailable, "results of the face reader are not read yet")
}
