package childsupport

import (
	"context"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// The sources of the register.
const (
	sourceChildcare = "childcare"
	sourceCheckups  = "checkups"
)

// line is one row of a source's file: a child and what is said of them.
type line struct {
	ref   citizen.Ref
	asOf  civil.Date
	part  string
	items []said
}

// said is one item of a row.
type said struct {
	name, word string
	day        civil.Date
}

// Importers gives the importers of the linked sources.
//
// childcare.csv: resident_ref, municipality_code, as_of, facility_kind (licensed,
// kindergarten, unlicensed, none), recognised (yes, no: 施設等利用給付認定), since,
// last_attended. checkups.csv: resident_ref, municipality_code, as_of, checkup (m4, m18,
// y3), due_on, result (attended, missed, excused), contacted_on (the health section's last
// contact). The last days may be empty.
//
// A file is one statement: a fault in any row, a last row that may be cut, several days in
// as_of of one municipality, a day older than what the source said last, or one past the
// items' retention refuses the whole file with the line. A row about somebody who is not
// known is refused alone. The same file again changes nothing.
func (x *Desk) Importers() []importing.Importer {
	return []importing.Importer{
		importing.For(x.sheet(sourceChildcare, parseChildcare, "facility_kind", "recognised", "since", "last_attended")),
		importing.For(x.sheet(sourceCheckups, parseCheckup, "checkup", "due_on", "result", "contacted_on")),
	}
}

func (x *Desk) sheet(id string, parse func(*importing.Row, *line), columns ...string) importing.Sheet[line] {
	source, _ := x.register.Source(id)
	return importing.Sheet[line]{
		File:    source.File,
		Columns: importing.Columns(append([]string{"resident_ref", "municipality_code", "as_of"}, columns...)...),
		Parse: func(r *importing.Row) line {
			l := line{
				ref:  citizen.Ref{Municipality: r.Municipality("municipality_code"), Resident: r.Ref("resident_ref")},
				asOf: r.DayUntil("as_of", x.today()),
			}
			parse(r, &l)
			return l
		},
		Key: func(l line) string { return string(l.ref.Municipality) + " " + l.ref.Resident + " " + l.part },
		Whole: func(ctx context.Context, t tx.Tx, _ actor.System, all []importing.Entry[line]) ([]importing.Objection, error) {
			return x.whole(ctx, t, id, all)
		},
		Store: func(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[line]) ([]importing.Verdict, error) {
			return x.storeLines(ctx, t, who, id, batch)
		},
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[line]) error {
			return x.replaceLine(ctx, t, who, id, e)
		},
	}
}

// dayBy reads a day that may be empty and is not after as_of: a source cannot know more.
func dayBy(r *importing.Row, column string, asOf civil.Date) civil.Date {
	d := r.OptionalDay(column)
	if !asOf.IsZero() && d.After(asOf) {
		r.Fault(column, "lies after as_of")
	}
	return d
}

func parseChildcare(r *importing.Row, l *line) {
	kind := r.OneOf("facility_kind", licensed, kindergarten, unlicensed, noFacility)
	since := dayBy(r, "since", l.asOf)
	if r.OK() && (kind == noFacility) != since.IsZero() {
		r.Fault("since", "a facility has a first day, and none has none")
	}
	l.items = []said{
		{itemPlace, kind, since},
		{itemRecognition, r.OneOf("recognised", "yes", "no"), civil.Date{}},
		{itemAttendance, "", dayBy(r, "last_attended", l.asOf)},
	}
}

func parseCheckup(r *importing.Row, l *line) {
	l.part = r.OneOf("checkup", checkups...)
	due, result := r.Day("due_on"), r.OneOf("result", attended, missed, excused)
	if r.OK() && due.After(l.asOf) && result != attended {
		r.Fault("due_on", "lies after as_of: it cannot have been missed")
	}
	l.items = []said{
		{itemResult, result, due},
		{itemContact, "", dayBy(r, "contacted_on", l.asOf)},
	}
}

// whole looks at a file before anything of it is stored.
func (x *Desk) whole(ctx context.Context, t tx.Tx, source string, all []importing.Entry[line]) ([]importing.Objection, error) {
	var out []importing.Objection
	first := map[identity.MunicipalityCode]importing.Entry[line]{}
	for _, e := range all {
		m := e.Value.ref.Municipality
		before, seen := first[m]
		switch {
		case !seen:
			first[m] = e
		case before.Value.asOf != e.Value.asOf:
			out = append(out, importing.Objection{Line: e.Line, Column: "as_of", Reason: "another day than the rows before of this municipality"})
		}
	}
	for m, e := range first {
		o, err := x.tooOld(ctx, t, source, m, e)
		if err != nil {
			return nil, err
		}
		if o.Reason != "" {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b importing.Objection) int { return a.Line - b.Line })
	return out, nil
}

func (x *Desk) tooOld(ctx context.Context, t tx.Tx, source string, m identity.MunicipalityCode, e importing.Entry[line]) (importing.Objection, error) {
	newest, err := x.Rows.Newest(ctx, t, source, m)
	if err != nil {
		return importing.Objection{}, err
	}
	at := importing.Objection{Line: e.Line, Column: "as_of"}
	if e.Value.asOf.Before(newest) {
		at.Reason = "older than what this source said last: nothing of the file was taken in"
		return at, nil
	}
	for _, s := range e.Value.items {
		until, err := x.register.until(s.name, e.Value.asOf)
		if err != nil {
			return importing.Objection{}, err
		}
		if until.Before(x.today()) {
			at.Reason = "past the retention of its items: nothing of the file was taken in"
			return at, nil
		}
	}
	return importing.Objection{}, nil
}

// itemsOf gives a row's items under the child's pseudonym.
func (x *Desk) itemsOf(source string, child identity.CitizenID, l line) ([]Item, error) {
	out := make([]Item, len(l.items))
	for i, s := range l.items {
		until, err := x.register.until(s.name, l.asOf)
		if err != nil {
			return nil, err
		}
		out[i] = Item{Source: source, Pseudonym: x.pseudonym(source, child), Name: s.name, Part: l.part, AsOf: l.asOf,
			Value: encode(s.word, s.day), ExpiresOn: until}
	}
	return out, nil
}

func (x *Desk) storeLines(ctx context.Context, t tx.Tx, who actor.System, source string, batch []importing.Entry[line]) ([]importing.Verdict, error) {
	news := map[identity.MunicipalityCode]civil.Date{}
	var touched []audit.Event
	verdicts, err := citizen.Known(ctx, t, x.Residents, batch, func(l line) citizen.Ref { return l.ref },
		importing.Verdict{Result: importing.Changed},
		func(refs []citizen.Ref, facts []citizen.Fact[line]) ([]importing.Result, error) {
			results, err := x.addItems(ctx, t, source, facts)
			if err != nil {
				return nil, err
			}
			for i, r := range results {
				if r == importing.Added {
					news[refs[i].Municipality] = facts[i].Value.asOf
					touched = append(touched, x.imported(source, facts[i].Citizen, facts[i].Value))
				}
			}
			return results, nil
		})
	if err != nil {
		return nil, err
	}
	for m, day := range news {
		if err := x.deliver(ctx, t, source, m, day); err != nil {
			return nil, err
		}
	}
	touched = append(touched, audit.Event{Purpose: audit.ChildSupport, Action: "import." + source})
	return verdicts, x.Record.AppendAll(ctx, t, who, touched)
}

// addItems stores the items of rows and answers one result for each row. They are stored in
// the order of their pseudonyms: in the order of the file, in which the access record names
// the children, their places would tell whose each one is.
func (x *Desk) addItems(ctx context.Context, t tx.Tx, source string, facts []citizen.Fact[line]) ([]importing.Result, error) {
	out := make([]importing.Result, len(facts))
	type placed struct {
		Item
		row int
	}
	by := map[identity.MunicipalityCode][]placed{}
	for i, f := range facts {
		items, err := x.itemsOf(source, f.Citizen, f.Value)
		if err != nil {
			return nil, err
		}
		out[i] = importing.Unchanged
		m := f.Value.ref.Municipality
		for _, item := range items {
			by[m] = append(by[m], placed{item, i})
		}
	}
	for m, all := range by {
		slices.SortStableFunc(all, func(a, b placed) int { return strings.Compare(a.Pseudonym, b.Pseudonym) })
		items := make([]Item, len(all))
		for n, p := range all {
			items[n] = p.Item
		}
		results, err := x.Rows.AddItems(ctx, t, m, items)
		if err != nil {
			return nil, err
		}
		for n, r := range results {
			if i := all[n].row; r == importing.Changed || r == importing.Added && out[i] != importing.Changed {
				out[i] = r
			}
		}
	}
	return out, nil
}

func (x *Desk) deliver(ctx context.Context, t tx.Tx, source string, m identity.MunicipalityCode, asOf civil.Date) error {
	id, err := x.ids.New("cdl")
	if err != nil {
		return err
	}
	return x.Rows.Delivered(ctx, t, Delivery{ID: id, Source: source, Municipality: m, AsOf: asOf, At: x.Now()})
}

// imported is the entry of the access record for one child's row.
func (x *Desk) imported(source string, child identity.CitizenID, l line) audit.Event {
	e := audit.Event{Purpose: audit.ChildSupport, Action: "import." + source, CitizenID: child, Municipality: l.ref.Municipality}
	for _, s := range l.items {
		e.Items = append(e.Items, s.name)
	}
	return e
}

// replaceLine stores a row that corrects what its source said of the same day.
func (x *Desk) replaceLine(ctx context.Context, t tx.Tx, who actor.System, source string, e importing.Entry[line]) error {
	ids, err := x.Residents.Resolve(ctx, t, []citizen.Ref{e.Value.ref})
	if err != nil {
		return err
	}
	child := ids[e.Value.ref]
	if child == "" {
		return fault.New(fault.Conflict, "the resident is not known any more")
	}
	items, err := x.itemsOf(source, child, e.Value)
	if err != nil {
		return err
	}
	for _, i := range items {
		if err := x.Rows.ReplaceItem(ctx, t, e.Value.ref.Municipality, i); err != nil {
			return err
		}
	}
	if err := x.deliver(ctx, t, source, e.Value.ref.Municipality, e.Value.asOf); err != nil {
		return err
	}
	return x.Record.Append(ctx, t, who, x.imported(source, child, e.Value))
}
