package check

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// ShelfParked is the shelf of entries that were put aside.
const ShelfParked = "parked"

// MaxParked is how many half-typed entries wait at most.
const MaxParked = 20

// maxParkedField bounds one field of an entry that is put aside, in bytes.
const maxParkedField = 1000

// Parked is a half-typed entry that was put aside.
type Parked struct {
	ID    string
	At    time.Time
	Entry Entry
}

// Park puts a half-typed entry aside, as it is, on the terminal's encrypted disk. A field
// that holds a My Number is MyNumberRefused and nothing is kept; with MaxParked waiting the
// fault is Conflict, TooManyParked.
func (d *Desk) Park(ctx context.Context, e Entry) (string, error) {
	if err := keepable(e); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting, err := d.Parked(ctx)
	if err != nil {
		return "", err
	}
	if len(waiting) >= MaxParked {
		return "", fault.New(fault.Conflict, TooManyParked)
	}
	p := Parked{At: d.Now().UTC(), Entry: e}
	if p.ID, err = d.Queue.NewID(); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "cannot make an id")
	}
	value, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("cannot encode an entry: %w", err)
	}
	if err := d.Shelf(ShelfParked).PutAll(ctx, map[string][]byte{p.ID: value}); err != nil {
		return "", err
	}
	d.changed()
	return p.ID, nil
}

// keepable joins what keeps an entry from being put aside.
func keepable(e Entry) error {
	var faults []error
	for _, f := range typedFields(e) {
		switch {
		case jptext.HoldsMyNumber(f.Value):
			faults = append(faults, fault.At(fault.MyNumberRefused, f.Name, "this is a My Number; it was not kept"))
		case len(f.Value) > maxParkedField:
			faults = append(faults, fault.At(fault.InvalidArgument, f.Name, "too_long"))
		}
	}
	ids := reader{faults: faults}
	ids.id(FieldFamily, e.Family)
	ids.id(FieldFace, e.Face)
	ids.id(FieldAmends, e.Amends)
	return errors.Join(ids.faults...)
}

// typedFields gives every free text of an entry with the name that faults have for it.
func typedFields(e Entry) []Field {
	t := e.DeclaredTyped
	fields := []Field{
		{FieldInsurer, e.Insurer}, {FieldSymbol, e.Symbol}, {FieldNumber, e.Number}, {FieldBranch, e.Branch},
		{FieldBirth, e.BirthDate}, {FieldVisit, e.VisitDay}, {FieldLabel, e.Label}, {FieldPatient, e.Patient},
		{eligibility.FormNameKanji, t.NameKanji}, {eligibility.FormNameKana, t.NameKana}, {eligibility.FormBirthDate, t.BirthDate},
		{eligibility.FormSex, t.Sex}, {eligibility.FormAddress, t.Address}, {eligibility.FormPhone, t.Phone},
		{eligibility.FormInsuranceKind, t.InsuranceKind}, {eligibility.FormInsurerName, t.InsurerName},
		{eligibility.FormEmployer, t.Employer}, {eligibility.FormInsured, t.Insured}, {eligibility.FormShare, t.SharePercent},
		{FieldEvidence, string(e.Evidence)}, {FieldCause, string(e.Cause)}, {FieldReason, string(e.Reason)},
	}
	if p := e.Person; p != nil {
		fields = append(fields, Field{FieldPerson, p.NameKanji}, Field{FieldPerson, p.Address})
	}
	return fields
}

// Parked lists what was put aside, newest first.
func (d *Desk) Parked(ctx context.Context) ([]Parked, error) {
	var waiting []Parked
	err := d.Shelf(ShelfParked).Each(ctx, func(_ string, value []byte) error {
		var p Parked
		if json.Unmarshal(value, &p) == nil {
			waiting = append(waiting, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what was put aside: %w", err)
	}
	slices.SortFunc(waiting, func(x, y Parked) int { return cmp.Compare(y.ID, x.ID) })
	return waiting, nil
}

// Unpark gives an entry back and removes it from what is put aside; two desks that ask for
// the same one do not both get it.
func (d *Desk) Unpark(ctx context.Context, id string) (Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting, err := d.Parked(ctx)
	if err != nil {
		return Entry{}, err
	}
	i := slices.IndexFunc(waiting, func(p Parked) bool { return p.ID == id })
	if i < 0 {
		return Entry{}, fault.New(fault.NotFound, "there is no such entry put aside any more")
	}
	if err := d.Shelf(ShelfParked).Delete(ctx, id); err != nil {
		return Entry{}, err
	}
	d.changed()
	return waiting[i].Entry, nil
}
