package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// ShelfFaces is the shelf of results of the face reader that wait for a person.
const ShelfFaces = "face"

// MaxFaces is how many results wait at most; further ones are told to Rejected.
const MaxFaces = 200

// Face is a result of the face-recognition reader that waits for a person: none or several
// open rows of today could be meant.
type Face struct {
	ID      string // a handle, for AssignFace and Entry.Face
	File    string
	TakenAt time.Time
	Answer  eligibility.Answer // RecordID is empty
	Fits    []View             // open rows of that day with the same birth date and kana
}

// keptFace is a Face on its shelf.
type keptFace struct {
	ID      string             `json:"id"`
	File    string             `json:"file"`
	TakenAt time.Time          `json:"taken_at"`
	Answer  eligibility.Answer `json:"answer,omitzero"`
	Dropped bool               `json:"dropped,omitempty"` // a person took it off the list
}

// TakeFace takes a result of the face reader. It goes by itself to an open row of its day
// where exactly one has the same birth date and kana; else it waits in Faces for a person.
// A file that was taken before changes nothing, nor do results of days past. An error means
// that nothing was stored.
func (d *Desk) TakeFace(ctx context.Context, file string, r oqs.Result) error {
	day := civil.In(d.Now())
	if r.ForDay.IsZero() && !r.ExecutedAt.IsZero() { // a card is read for its own day
		r.ForDay = civil.In(r.ExecutedAt)
	}
	if r.Segment != oqs.Done || r.ForDay.Before(day) {
		return nil
	}
	answer, ok := r.Answer("", r.ForDay)
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	kept, err := d.keptFaces(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(kept, func(k keptFace) bool { return k.File == file }) {
		return nil
	}
	rows, err := d.fits(ctx, answer)
	if err != nil {
		return err
	}
	used, err := d.Book.IDs(ctx, ofFace(file))
	switch {
	case err != nil || len(used) > 0:
		return err
	case len(rows) == 1:
		return d.attached(rows[0].RecordID, d.attach(ctx, rows[0], file, answer))
	case len(kept) >= MaxFaces:
		d.Rejected("", fault.New(fault.TooLarge, "too many results of the face reader wait for a person"))
		return nil
	}
	return d.keepFace(ctx, keptFace{ID: faceID(file), File: file, TakenAt: d.Now().UTC(), Answer: answer})
}

func faceID(file string) string {
	sum := sha256.Sum256([]byte(file))
	return hex.EncodeToString(sum[:12])
}

// fits gives the open rows of the answer's day with its birth date and kana.
func (d *Desk) fits(ctx context.Context, a eligibility.Answer) ([]casebook.Case, error) {
	person := casebook.PersonMark(a.BirthDate, a.HolderKana)
	if person == 0 {
		return nil, nil
	}
	rows, _, err := d.Book.Top(ctx, MaxRows, func(r *casebook.Row) int {
		if r.Waits() && r.VisitDay() == a.VisitDay && r.Person() == person {
			return 0
		}
		return -1
	})
	return ofPerson(rows, a.BirthDate, a.HolderKana), err
}

// ofFace accepts the row that the face reader's file was put on. A mark of 64 bits that is
// another file's does not happen among the files of a few days.
func ofFace(file string) func(*casebook.Row) bool {
	mark := casebook.FaceMark(file)
	return func(r *casebook.Row) bool { return mark != 0 && r.Face() == mark }
}

// attach puts a result of the face reader on a row.
func (d *Desk) attach(ctx context.Context, c casebook.Case, file string, answer eligibility.Answer) error {
	answer.RecordID, c.Face = c.RecordID, file
	if err := answer.Validate(); err != nil {
		return err
	}
	return d.conclude(ctx, c, answer)
}

// attached passes over a result that is not well-formed: giving it again would not mend it.
func (d *Desk) attached(recordID string, err error) error {
	switch fault.CodeOf(err) {
	case fault.InvalidArgument, fault.TooLarge:
		d.Rejected(recordID, err)
		return nil
	}
	return err
}

// Faces lists what waits, newest first.
func (d *Desk) Faces(ctx context.Context) ([]Face, error) {
	kept, err := d.keptFaces(ctx)
	if err != nil {
		return nil, err
	}
	var faces []Face
	for _, k := range kept {
		used, err := d.Book.IDs(ctx, ofFace(k.File))
		if err != nil {
			return nil, err
		}
		if k.Dropped || len(used) > 0 {
			continue
		}
		f := Face{ID: k.ID, File: k.File, TakenAt: k.TakenAt, Answer: k.Answer}
		rows, err := d.fits(ctx, k.Answer)
		if err != nil {
			return nil, err
		}
		f.Fits = d.views(rows)
		faces = append(faces, f)
	}
	slices.SortFunc(faces, func(x, y Face) int { return y.TakenAt.Compare(x.TakenAt) })
	return faces, nil
}

// AssignFace puts a waiting result on a row by a person's choice. The row must wait for an
// answer for that day: else the fault is Conflict.
func (d *Desk) AssignFace(ctx context.Context, faceID, recordID string, _ By) (casebook.Case, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, err := d.face(ctx, faceID)
	if err != nil {
		return casebook.Case{}, err
	}
	c, ok, err := d.Book.Get(ctx, recordID)
	switch {
	case err != nil:
		return casebook.Case{}, err
	case !ok:
		return casebook.Case{}, fault.New(fault.NotFound, "there is no such case")
	case !c.Waits():
		return casebook.Case{}, fault.At(fault.Conflict, FieldFace, AlreadyAnswered)
	case c.VisitDay != k.Answer.VisitDay:
		return casebook.Case{}, fault.At(fault.Conflict, FieldFace, AnotherDay)
	}
	if err := d.attach(ctx, c, k.File, k.Answer); err != nil {
		return casebook.Case{}, err
	}
	c, _, err = d.Book.Get(ctx, recordID)
	return c, errors.Join(err, d.Shelf(ShelfFaces).Delete(ctx, k.ID))
}

// DropFace takes a waiting result off the list: no patient of this desk.
func (d *Desk) DropFace(ctx context.Context, faceID string, _ By) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, err := d.face(ctx, faceID)
	if err != nil {
		return err
	}
	return d.keepFace(ctx, keptFace{ID: k.ID, File: k.File, TakenAt: k.TakenAt, Dropped: true})
}

// recordFace records a new case from a waiting result: it is answered at once. What the
// entry tells beside is the name for the list and the clinic's own reference.
func (d *Desk) recordFace(ctx context.Context, e Entry) (casebook.Case, error) {
	if err := d.ready(); err != nil {
		return casebook.Case{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k, err := d.face(ctx, e.Face)
	if err != nil {
		return casebook.Case{}, err
	}
	c, err := d.faceCase(e, k)
	if err != nil {
		return casebook.Case{}, err
	}
	err = d.store(ctx, wire.KindEligibilityCheck, c.RecordedAt, func(r wire.Record) (json.RawMessage, []*casebook.Case, error) {
		body, err := d.compose(&c, r)
		if err != nil {
			return nil, nil, err
		}
		answer := k.Answer
		answer.RecordID, c.Owed = c.RecordID, nil
		if err := answer.Validate(); err != nil {
			return nil, nil, err
		}
		if err := d.take(&c, answer); err != nil {
			return nil, nil, err
		}
		return body, []*casebook.Case{&c}, d.owe(&c, wire.KindEligibilityOutcome, outcome(&c))
	})
	if err != nil {
		return casebook.Case{}, err
	}
	if err := d.pay(ctx, &c); err != nil {
		d.Rejected(c.RecordID, err) // it is owed: Chase and Reconcile try again
	}
	if err := d.Shelf(ShelfFaces).Delete(ctx, k.ID); err != nil {
		d.Rejected(c.RecordID, err) // the row names the file: it is not listed any more
	}
	d.recorded(&c)
	return c, nil
}

func (d *Desk) faceCase(e Entry, k keptFace) (casebook.Case, error) {
	a := k.Answer
	r := reader{today: civil.In(d.Now())}
	label := e.Label
	if strings.TrimSpace(label) == "" {
		label = a.HolderKana
	}
	patient := e.Patient
	if strings.TrimSpace(patient) == "" {
		patient = a.Reference
	}
	c := casebook.Case{
		RecordedAt: d.Now().UTC(), VisitDay: a.VisitDay, Operator: e.Operator, OperatorID: e.OperatorID,
		Label: r.label(label), Patient: r.patient(patient), Evidence: eligibility.EvidenceFaceReader, Person: e.Person,
		Cause: eligibility.CauseNone, Route: eligibility.RouteTerminal, State: eligibility.Sent, Face: k.File, Family: r.id(FieldFamily, e.Family),
		Inquiry: eligibility.Inquiry{
			InsurerNumber: a.InsurerNumber, Symbol: a.Symbol, Number: a.Number, Branch: a.Branch,
			BirthDate: a.BirthDate, VisitDay: a.VisitDay,
		},
		Assumed: eligibility.Assumption{Validity: eligibility.Valid},
		Charge:  casebook.Charge{Percent: a.CopaymentPercent},
	}
	return c, errors.Join(r.faults...)
}

func (d *Desk) face(ctx context.Context, id string) (keptFace, error) {
	kept, err := d.keptFaces(ctx)
	if err != nil {
		return keptFace{}, err
	}
	for _, k := range kept {
		if k.ID != id || k.Dropped {
			continue
		}
		used, err := d.Book.IDs(ctx, ofFace(k.File))
		if err != nil || len(used) == 0 {
			return k, err
		}
	}
	return keptFace{}, fault.At(fault.NotFound, FieldFace, "there is no such result of the face reader any more")
}

func (d *Desk) keptFaces(ctx context.Context) ([]keptFace, error) {
	var kept []keptFace
	err := d.Shelf(ShelfFaces).Each(ctx, func(_ string, value []byte) error {
		var k keptFace
		if json.Unmarshal(value, &k) == nil {
			kept = append(kept, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the face reader's results: %w", err)
	}
	return kept, nil
}

func (d *Desk) keepFace(ctx context.Context, k keptFace) error {
	value, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("cannot encode a face reader's result: %w", err)
	}
	if err := d.Shelf(ShelfFaces).PutAll(ctx, map[string][]byte{k.ID: value}); err != nil {
		return err
	}
	d.changed()
	return nil
}
