package issuance

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// line is one row of vaccinations.csv.
type line struct {
	ref    citizen.Ref
	record Record
}

// Importer reads vaccinations.csv. A record changes by a correction alone: another content
// under the same record_ref is a conflict, whoever it is about, unless a correction has
// put that content away.
func (x *Office) Importer() importing.Importer { return importing.For(x.vaccinations()) }

func (x *Office) vaccinations() importing.Sheet[line] {
	return importing.Sheet[line]{
		File: "vaccinations.csv", Columns: x.columns(), Parse: x.parse, Store: x.store,
		Key: func(l line) string { return string(l.record.Municipality) + " " + l.record.Ref },
	}
}

func (x *Office) columns() []importing.Column {
	columns := importing.Columns("record_ref", "resident_ref", "municipality_code", "vaccine_code", "dose_number", "given_on", "country")
	for _, name := range []string{"product", "manufacturer", "lot", "performer"} {
		columns = append(columns, importing.Column{Name: name, Free: true})
	}
	return columns
}

func (x *Office) parse(r *importing.Row) line {
	ref := citizen.Ref{Municipality: r.Municipality("municipality_code"), Resident: r.Ref("resident_ref")}
	return line{ref, Record{
		Municipality: ref.Municipality, Ref: r.Ref("record_ref"), Code: cvx(r), Product: r.Text("product", 100),
		Manufacturer: r.Optional("manufacturer", 100), Lot: r.Optional("lot", 40), Number: r.Whole("dose_number", 1, 20),
		On: r.DayUntil("given_on", civil.In(x.Now())), Performer: r.Optional("performer", 100), Country: country(r),
	}}
}

// cvx reads a CVX code: 1 to 3 digits.
func cvx(r *importing.Row) string {
	v := r.Text("vaccine_code", 3)
	for _, c := range []byte(v) {
		if c < '0' || c > '9' {
			r.Fault("vaccine_code", "not a CVX code of 1 to 3 digits")
			return ""
		}
	}
	return v
}

func country(r *importing.Row) string {
	v := r.Text("country", 3)
	for _, c := range []byte(v) {
		if len(v) != 3 || c < 'A' || c > 'Z' {
			r.Fault("country", "not a country of three capital letters")
			return ""
		}
	}
	return v
}

func (x *Office) store(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[line]) ([]importing.Verdict, error) {
	early, err := x.beforeBirth(ctx, t, batch)
	if err != nil {
		return nil, err
	}
	var good []importing.Entry[line]
	for i, e := range batch {
		if !early[i] {
			good = append(good, e)
		}
	}
	conflict := importing.Verdict{Result: importing.Refused, Column: "record_ref", Reason: "conflict: an earlier import says something else under this number"}
	stored, err := citizen.Known(ctx, t, x.Residents, good, func(l line) citizen.Ref { return l.ref }, conflict,
		func(_ []citizen.Ref, facts []citizen.Fact[line]) ([]importing.Result, error) {
			rows := make([]citizen.Fact[Record], len(facts))
			for i, f := range facts {
				rows[i] = citizen.Fact[Record]{Citizen: f.Citizen, Digest: f.Digest, Value: f.Value.record}
			}
			return x.Rows.AddRecords(ctx, t, rows)
		})
	if err != nil {
		return nil, err
	}
	out := make([]importing.Verdict, len(batch))
	for i := range batch {
		if early[i] {
			out[i] = importing.Verdict{Result: importing.Refused, Column: "given_on", Reason: "lies before the resident's birth date"}
			continue
		}
		out[i], stored = stored[0], stored[1:]
	}
	return out, x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Import, Action: "import.vaccinations"})
}

// beforeBirth marks rows whose day lies before the birth of their resident.
func (x *Office) beforeBirth(ctx context.Context, t tx.Tx, batch []importing.Entry[line]) (map[int]bool, error) {
	refs := make([]citizen.Ref, len(batch))
	for i, e := range batch {
		refs[i] = e.Value.ref
	}
	ids, err := x.Residents.Resolve(ctx, t, refs)
	if err != nil {
		return nil, err
	}
	var all []identity.CitizenID
	for _, id := range ids {
		all = append(all, id)
	}
	who, err := x.Residents.Standings(ctx, t, all)
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	for i, e := range batch {
		if s, ok := who[ids[e.Value.ref]]; ok && e.Value.record.On.Before(s.Resident.BirthDate.Date) {
			out[i] = true
		}
	}
	return out, nil
}
