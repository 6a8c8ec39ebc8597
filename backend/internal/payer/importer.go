package payer

import (
	"context"
	"strconv"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
)

// line is one row of coverage.csv.
type line struct {
	ref citizen.Ref
	Coverage
}

// Importer reads coverage.csv: resident_ref, municipality_code, payer ("registry"),
// insurer_number (6 or 8 digits), insurer_name, symbol, number, branch (two digits or
// empty), valid_from, valid_to (the last day that counts, or empty), copayment_percent (10,
// 20 or 30), insured_kind (insured or dependant). A coverage is the same when resident,
// numbers, branch and valid_from are; its other columns may change.
func (r *Registry) Importer() importing.Importer {
	return importing.For(importing.Sheet[line]{
		File: "coverage.csv",
		Columns: append(importing.Columns("resident_ref", "municipality_code", "payer", "insurer_number"),
			append([]importing.Column{{Name: "insurer_name", Free: true}},
				importing.Columns("symbol", "number", "branch", "valid_from", "valid_to", "copayment_percent", "insured_kind")...)...),
		Parse:   parseLine,
		Key:     lineKey,
		Store:   r.storeLines,
		Replace: r.replaceLine,
	})
}

func parseLine(r *importing.Row) line {
	var l line
	l.ref = citizen.Ref{Municipality: r.Municipality("municipality_code"), Resident: r.Ref("resident_ref")}
	r.OneOf("payer", RegistryID)
	var err error
	l.InsurerNumber, _, err = insurance.ParseInsurerNumber(r.Optional("insurer_number", insurance.MaxMemberText))
	blame(r, "insurer_number", err)
	l.InsurerName = r.Text("insurer_name", eligibility.MaxNameText)
	l.Symbol, err = insurance.ParseSymbol(r.Optional("symbol", insurance.MaxMemberText))
	blame(r, "symbol", err)
	l.Number, err = insurance.ParseMemberNumber(r.Optional("number", insurance.MaxMemberText))
	blame(r, "number", err)
	l.Branch, err = insurance.ParseBranch(r.Optional("branch", 2))
	blame(r, "branch", err)
	l.ValidFrom, l.ValidTo = r.Day("valid_from"), r.OptionalDay("valid_to")
	if !l.ValidTo.IsZero() && l.ValidTo.Before(l.ValidFrom) {
		r.Fault("valid_to", "is before valid_from")
	}
	l.CopaymentPercent, _ = strconv.Atoi(r.OneOf("copayment_percent", "10", "20", "30"))
	l.Kind = r.OneOf("insured_kind", "insured", "dependant")
	l.Municipality = l.ref.Municipality
	return l
}

// blame notes a fault of a number by its code: the parsers' words never hold the value.
func blame(r *importing.Row, column string, err error) {
	switch fault.CodeOf(err) {
	case "":
	case fault.MyNumberRefused:
		r.Fault(column, "is a My Number, which is never taken in")
	default:
		r.Fault(column, "not a number of this kind")
	}
}

func lineKey(l line) string {
	k := l.Key()
	return string(l.ref.Municipality) + " " + l.ref.Resident + " " + k.Insurer + " " + k.Symbol + " " + k.Number + " " +
		string(l.Branch) + " " + l.ValidFrom.String()
}

func (r *Registry) storeLines(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[line]) ([]importing.Verdict, error) {
	verdicts, err := citizen.Known(ctx, t, r.People, batch, func(l line) citizen.Ref { return l.ref },
		importing.Verdict{Result: importing.Changed},
		func(_ []citizen.Ref, facts []citizen.Fact[line]) ([]importing.Result, error) {
			return r.Rows.Add(ctx, t, coverages(facts))
		})
	if err != nil {
		return nil, err
	}
	return verdicts, r.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Import, Action: "import.coverage"})
}

func coverages(facts []citizen.Fact[line]) []citizen.Fact[Coverage] {
	out := make([]citizen.Fact[Coverage], len(facts))
	for i, f := range facts {
		f.Value.Citizen = f.Citizen
		out[i] = citizen.Fact[Coverage]{Citizen: f.Citizen, Digest: f.Digest, Value: f.Value.Coverage}
	}
	return out
}

func (r *Registry) replaceLine(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[line]) error {
	ids, err := r.People.Resolve(ctx, t, []citizen.Ref{e.Value.ref})
	if err != nil {
		return err
	}
	id := ids[e.Value.ref]
	if id == "" {
		return fault.New(fault.Conflict, "the resident is not known any more")
	}
	all := coverages([]citizen.Fact[line]{{Citizen: id, Digest: e.Digest, Value: e.Value}})
	if err := r.Rows.Replace(ctx, t, all[0]); err != nil {
		return err
	}
	return r.Record.Append(ctx, t, who, audit.Event{
		Purpose: audit.Import, Action: "import.coverage", CitizenID: id, Municipality: e.Value.Municipality, Items: []string{"coverage"},
	})
}
