package protection

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// line is one row of protections.csv.
type line struct {
	ref citizen.Ref
	Flag
}

// Importer reads protections.csv: resident_ref, municipality_code, kind (do_not_contact or
// non_disclosure), since, until (the last day, or empty). The newer file wins row by row;
// a row that says what the last file said leaves what a protector has set or lifted since.
func (x *Register) Importer() importing.Importer {
	return importing.For(importing.Sheet[line]{
		File:    "protections.csv",
		Columns: importing.Columns("resident_ref", "municipality_code", "kind", "since", "until"),
		Parse:   parseLine,
		Ended:   true, // a cut number may be somebody else's, and a cut day is no end
		Key:     func(l line) string { return string(l.ref.Municipality) + " " + l.ref.Resident + " " + string(l.Kind) },
		Store:   x.storeLines,
		Replace: x.replaceLine,
	})
}

func parseLine(r *importing.Row) line {
	l := line{ref: citizen.Ref{Municipality: r.Municipality("municipality_code"), Resident: r.Ref("resident_ref")}}
	l.Municipality = l.ref.Municipality
	l.Kind = Kind(r.OneOf("kind", string(DoNotContact), string(NonDisclosure)))
	l.Since, l.Until = r.Day("since"), r.OptionalDay("until")
	if r.OK() && !l.Until.IsZero() && l.Until.Before(l.Since) {
		r.Fault("until", "lies before since")
	}
	return l
}

func (x *Register) storeLines(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[line]) ([]importing.Verdict, error) {
	out, err := citizen.Known(ctx, t, x.People, batch, func(l line) citizen.Ref { return l.ref },
		importing.Verdict{Result: importing.Changed},
		func(_ []citizen.Ref, facts []citizen.Fact[line]) ([]importing.Result, error) {
			rows := make([]citizen.Fact[Flag], len(facts))
			for i, f := range facts {
				rows[i] = flagOf(f)
			}
			return x.Rows.Add(ctx, t, rows)
		})
	if err != nil {
		return nil, err
	}
	return out, x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Protection, Action: "import.protections"})
}

func flagOf(f citizen.Fact[line]) citizen.Fact[Flag] {
	f.Value.Citizen = f.Citizen
	return citizen.Fact[Flag]{Citizen: f.Citizen, Digest: f.Digest, Value: f.Value.Flag}
}

func (x *Register) replaceLine(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[line]) error {
	ids, err := x.People.Resolve(ctx, t, []citizen.Ref{e.Value.ref})
	if err != nil {
		return err
	}
	id := ids[e.Value.ref]
	if id == "" {
		return fault.New(fault.Conflict, "the resident is not known any more")
	}
	if err := x.Rows.Replace(ctx, t, flagOf(citizen.Fact[line]{Citizen: id, Digest: e.Digest, Value: e.Value})); err != nil {
		return err
	}
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Protection, Action: "import.protection_changed",
		CitizenID: id, Municipality: e.Value.ref.Municipality, Items: []string{string(e.Value.Kind)}})
}
