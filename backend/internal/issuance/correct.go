package issuance

import (
	"bytes"
	"context"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Number is an office's number of a record.
type Number struct {
	Municipality identity.MunicipalityCode
	Ref          string
}

// Known is what is on record under a number, and what was.
type Known struct {
	Citizen  identity.CitizenID
	Digest   []byte // of the row in force; of the voiding row while it is void
	Now      Record // zero while it is void
	Void     bool
	Revision int64      // corrections so far
	Last     civil.Date // the day of the newest correction, zero without one
	// Past are the digests of all rows that ever were in force, and of all corrections.
	Past [][]byte
}

// Act is what a correction does.
type Act string

// The acts.
const (
	Replace Act = "replace" // the record says something else; also one that was void
	Void    Act = "void"    // there was no such vaccination, or not of this person
)

// Correction is a change of one record, as the office that keeps it made it.
type Correction struct {
	Number
	Citizen      identity.CitizenID
	Act          Act
	Before       Known
	After        Record // of Replace
	RecordDigest []byte // of Replace: of the row of vaccinations.csv that would say so; of Void: Digest
	Digest       []byte // of the correction's row
	On           civil.Date
	Reason       string
	By           string // who took it in
	At           time.Time
}

// amendment is one row of vaccination_corrections.csv.
type amendment struct {
	line
	act    Act
	on     civil.Date
	reason string
	digest []byte // of Replace and of a new record: as vaccinations.csv would have it
	// ifKnown: what was never imported needs no correction.
	ifKnown bool
}

const correctionsFile = "vaccination_corrections.csv"

// maxReason caps an office's reason, in code points.
const maxReason = 500

// Corrections reads vaccination_corrections.csv: rows that replace a record or void it.
func (x *Office) Corrections() importing.Importer { return importing.For(x.amendments()) }

func (x *Office) amendments() importing.Sheet[amendment] {
	columns := append(x.columns(), importing.Column{Name: "act"}, importing.Column{Name: "corrected_on"}, importing.Column{Name: "reason", Free: true})
	return importing.Sheet[amendment]{
		File: correctionsFile, Columns: columns, Parse: x.parseAmendment, Ended: true,
		Key:   func(a amendment) string { return string(a.record.Municipality) + " " + a.record.Ref },
		Store: x.sortAmendments, Replace: x.amend,
	}
}

func (x *Office) parseAmendment(r *importing.Row) amendment {
	if Act(r.OneOf("act", string(Replace), string(Void))) == Void {
		return x.parseVoid(r)
	}
	a := x.dated(r, Replace)
	a.line, a.digest = x.parse(r), r.Digest(x.columns())
	return a
}

func (x *Office) dated(r *importing.Row, act Act) amendment {
	return amendment{act: act, on: r.DayUntil("corrected_on", x.today()), reason: r.Text("reason", maxReason)}
}

// parseVoid reads a row that voids a record: its number, and beside it only what is named.
func (x *Office) parseVoid(r *importing.Row, besides ...string) amendment {
	a := x.dated(r, Void)
	a.ref.Municipality = r.Municipality("municipality_code")
	a.record = Record{Municipality: a.ref.Municipality, Ref: r.Ref("record_ref")}
	besides = append(besides, "record_ref", "municipality_code")
	for _, c := range x.columns() {
		if !slices.Contains(besides, c.Name) && r.Optional(c.Name, 1) != "" {
			r.Fault(c.Name, "a row that voids a record leaves this empty")
		}
	}
	return a
}

// sortAmendments tells of each row whether it says something new. It changes nothing:
// Replace does, each row in a transaction of its own.
func (x *Office) sortAmendments(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[amendment]) ([]importing.Verdict, error) {
	numbers := make([]Number, len(batch))
	for i, e := range batch {
		numbers[i] = e.Value.number()
	}
	known, err := x.Rows.OnRecord(ctx, t, numbers)
	if err != nil {
		return nil, err
	}
	out := make([]importing.Verdict, len(batch))
	for i, e := range batch {
		if out[i], err = x.judge(ctx, t, e, known); err != nil {
			return nil, err
		}
	}
	return out, x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Import, Action: "import.vaccination_corrections"})
}

func (a amendment) number() Number { return Number{a.record.Municipality, a.record.Ref} }

func (x *Office) judge(ctx context.Context, t tx.Tx, e importing.Entry[amendment], known map[Number]Known) (importing.Verdict, error) {
	k, ok := known[e.Value.number()]
	refused := func(column, reason string) (importing.Verdict, error) {
		return importing.Verdict{Result: importing.Refused, Column: column, Reason: reason}, nil
	}
	switch {
	case !ok && e.Value.ifKnown:
		return importing.Verdict{Result: importing.Unchanged}, nil
	case !ok:
		return refused("record_ref", "no such record: nothing was imported under this number")
	case holds(k.Past, e.Digest), e.Value.act == Void && k.Void, e.Value.act == Replace && !k.Void && bytes.Equal(k.Digest, e.Value.digest):
		return importing.Verdict{Result: importing.Unchanged}, nil
	case e.Value.on.Before(k.Last):
		return refused("corrected_on", "older than the correction in force")
	case e.Value.act == Void && e.Value.ref.Resident == "":
		return importing.Verdict{Result: importing.Changed}, nil
	}
	ids, err := x.Residents.Resolve(ctx, t, []citizen.Ref{e.Value.ref})
	if err != nil {
		return importing.Verdict{}, err
	}
	switch {
	case ids[e.Value.ref] != k.Citizen:
		return refused("resident_ref", "the record is about somebody else: void it, and import theirs under a number of its own")
	case e.Value.act == Void:
		return importing.Verdict{Result: importing.Changed}, nil
	}
	who, err := x.Residents.Standings(ctx, t, []identity.CitizenID{k.Citizen})
	if err != nil {
		return importing.Verdict{}, err
	}
	if e.Value.record.On.Before(who[k.Citizen].Resident.BirthDate.Date) {
		return refused("given_on", "lies before the resident's birth date")
	}
	return importing.Verdict{Result: importing.Changed}, nil
}

func holds(digests [][]byte, digest []byte) bool {
	return slices.ContainsFunc(digests, func(d []byte) bool { return bytes.Equal(d, digest) })
}

// amend stores one correction with everything that follows from it: the record as it was
// is kept with who and when, the certificates that state it are revoked, and their holders
// are told.
func (x *Office) amend(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[amendment]) error {
	n := e.Value.number()
	if err := x.Rows.HoldRecords(ctx, t, []Number{n}); err != nil {
		return err
	}
	known, err := x.Rows.OnRecord(ctx, t, []Number{n})
	if err != nil {
		return err
	}
	k, ok := known[n]
	switch {
	case !ok:
		return fault.New(fault.NotFound, "there is no such record")
	case holds(k.Past, e.Digest):
		return nil // the first try was stored after all
	}
	c := Correction{Number: n, Citizen: k.Citizen, Act: e.Value.act, Before: k, After: e.Value.record, RecordDigest: e.Value.digest,
		Digest: e.Digest, On: e.Value.on, Reason: e.Value.reason, By: who.AuditActor().ID, At: x.Now().UTC()}
	if c.Act == Void {
		c.After, c.RecordDigest = Record{}, e.Digest
	}
	stating, err := x.Rows.Stating(ctx, t, k.Citizen, n)
	if err != nil {
		return err
	}
	if err := x.Rows.Correct(ctx, t, c); err != nil {
		return err
	}
	if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.RecordCorrection, Action: "vaccination." + string(c.Act), CitizenID: k.Citizen,
		Municipality: n.Municipality, Object: n.Ref, Items: []string{"vaccinations"}}); err != nil {
		return err
	}
	for _, s := range stating {
		if err := x.Revoke(ctx, t, who, audit.RecordCorrection, s.Holder, s.ID, Grounds{Ground: ForCorrection}); err != nil {
			return err
		}
	}
	return nil
}
