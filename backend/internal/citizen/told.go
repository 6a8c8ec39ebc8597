package citizen

import (
	"context"
	"regexp"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Longest cells of benefit_facts.csv, in code points.
const (
	maxFact       = 64
	maxFactValue  = 100
	maxFactSource = 200
)

// factForm is how programmes name their facts.
var factForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// told reads benefit_facts.csv: what rules of benefits ask for and no register holds. The
// newer file wins, row by row. Whether a value is of the type that a rule needs is told
// when the rule asks.
func (x *Registry) told() importing.Sheet[about[Told]] {
	return importing.Sheet[about[Told]]{
		File: "benefit_facts.csv",
		Columns: append(append(importing.Columns("resident_ref", "municipality_code", "fact"), free("value")...),
			importing.Column{Name: "since"}, importing.Column{Name: "source", Free: true}),
		Parse: func(r *importing.Row) about[Told] {
			v := Told{Fact: r.Text("fact", maxFact), Value: r.Text("value", maxFactValue),
				Since: r.DayUntil("since", x.today()), Source: r.Text("source", maxFactSource)}
			if v.Fact != "" && !factForm.MatchString(v.Fact) {
				r.Fault("fact", "a fact's name is of a-z, 0-9 and _")
			}
			return about[Told]{readRef(r), v}
		},
		Key: func(v about[Told]) string { return key(v.ref) + " " + v.value.Fact },
		Store: facts(x, "benefit_facts", replaceable, func(ctx context.Context, t tx.Tx, _ []identity.MunicipalityCode, rows []Fact[Told]) ([]importing.Result, error) {
			return x.Rows.AddFacts(ctx, t, rows)
		}),
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[about[Told]]) error {
			f, err := one(ctx, t, x.Rows, e)
			if err != nil {
				return err
			}
			if err := x.Rows.ReplaceFact(ctx, t, f); err != nil {
				return err
			}
			return x.changed(ctx, t, who, "benefit_fact", f.Citizen, e.Value.ref.Municipality)
		},
	}
}
