// Package payer keeps the registry payer's coverages in the store: the SQL of
// backend/internal/payer. The register is found by number, so that one look-up reads over
// citizens; every write names one citizen or only inserts.
package payer

import (
	"context"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements payer.CoverageRows on both engines.
type Rows struct{}

var _ payer.CoverageRows = (*Rows)(nil)

// New makes the rows. Every read is part of a transaction.
func New() *Rows { return &Rows{} }

var table = bulk.Table{
	Name: "coverage",
	Key:  []string{"citizen_id", "insurer_key", "symbol_key", "number_key", "branch", "valid_from"},
	Columns: []string{
		"valid_to", "municipality_code", "insurer_number", "insurer_name", "symbol", "number",
		"copayment_percent", "insured_kind",
	},
}

func row(f citizen.Fact[payer.Coverage]) bulk.Row {
	c, k := f.Value, f.Value.Key()
	return bulk.Row{
		Key: []any{string(f.Citizen), k.Insurer, k.Symbol, k.Number, string(c.Branch), c.ValidFrom.String()},
		Values: []any{
			c.ValidTo.String(), string(c.Municipality), string(c.InsurerNumber), c.InsurerName,
			string(c.Symbol), string(c.Number), c.CopaymentPercent, c.Kind,
		},
		Digest: f.Digest,
	}
}

// Add implements payer.CoverageRows.
func (r *Rows) Add(ctx context.Context, t tx.Tx, facts []citizen.Fact[payer.Coverage]) ([]importing.Result, error) {
	rows := make([]bulk.Row, len(facts))
	for i, f := range facts {
		rows[i] = row(f)
	}
	return table.Add(ctx, sqltx.Of(t), rows)
}

// Replace implements payer.CoverageRows.
func (r *Rows) Replace(ctx context.Context, t tx.Tx, fact citizen.Fact[payer.Coverage]) error {
	return table.Replace(ctx, sqltx.Of(t), row(fact))
}

// Under implements payer.CoverageRows.
func (r *Rows) Under(ctx context.Context, t tx.Tx, k payer.Key, limit int) ([]payer.Coverage, error) {
	return read(ctx, t, `
		 WHERE insurer_key = $1 AND number_key = $2 AND symbol_key = $3
		 ORDER BY citizen_id, valid_from LIMIT $4`, k.Insurer, k.Number, k.Symbol, limit)
}

// Of implements payer.CoverageRows.
func (r *Rows) Of(ctx context.Context, t tx.Tx, id identity.CitizenID) ([]payer.Coverage, error) {
	return read(ctx, t, ` WHERE citizen_id = $1 ORDER BY valid_from`, string(id))
}

func read(ctx context.Context, t tx.Tx, where string, args ...any) ([]payer.Coverage, error) {
	var found []payer.Coverage
	err := sqltx.Of(t).Each(ctx, `
		SELECT citizen_id, municipality_code, insurer_number, insurer_name, symbol, number, branch,
		       valid_from, valid_to, copayment_percent, insured_kind
		  FROM coverage`+where, args, func(scan func(...any) error) error {
		var c payer.Coverage
		var from, to string
		if err := scan(&c.Citizen, &c.Municipality, &c.InsurerNumber, &c.InsurerName, &c.Symbol, &c.Number, &c.Branch,
			&from, &to, &c.CopaymentPercent, &c.Kind); err != nil {
			return err
		}
		if err := days(&c, from, to); err != nil {
			return err
		}
		found = append(found, c)
		return nil
	})
	return found, err
}

func days(c *payer.Coverage, from, to string) error {
	if err := c.ValidFrom.UnmarshalText([]byte(from)); err != nil {
		return err
	}
	c.ValidTo = civil.Date{}
	return c.ValidTo.UnmarshalText([]byte(to))
}
