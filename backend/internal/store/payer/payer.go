// Package payer keeps the registry payer's coverages in the store: the SQL of
// backend/internal/payer. The register is found by number, so that one look-up reads over
// citizens; every write names one citizen or only inserts.
package payer

import (
	"bytes"
	"context"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/payer"
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

// Add implements payer.CoverageRows.
func (r *Rows) Add(ctx context.Context, t tx.Tx, facts []citizen.Fact[payer.Coverage]) ([]importing.Result, error) {
	results := make([]importing.Result, len(facts))
	for i, f := range facts {
		n, err := sqltx.Of(t).Exec(ctx, insert+` DO NOTHING`, fields(f)...)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			results[i] = importing.Added
			continue
		}
		if results[i], err = r.compare(ctx, t, f); err != nil {
			return nil, err
		}
	}
	return results, nil
}

const insert = `
	INSERT INTO coverage (citizen_id, insurer_key, symbol_key, number_key, branch, valid_from, valid_to,
	                      municipality_code, insurer_number, insurer_name, symbol, number,
	                      copayment_percent, insured_kind, digest)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
	ON CONFLICT (citizen_id, insurer_key, symbol_key, number_key, branch, valid_from)`

func fields(f citizen.Fact[payer.Coverage]) []any {
	c, k := f.Value, f.Value.Key()
	return []any{
		string(f.Citizen), k.Insurer, k.Symbol, k.Number, string(c.Branch), c.ValidFrom.String(), c.ValidTo.String(),
		string(c.Municipality), string(c.InsurerNumber), c.InsurerName, string(c.Symbol), string(c.Number),
		c.CopaymentPercent, c.Kind, f.Digest,
	}
}

func (r *Rows) compare(ctx context.Context, t tx.Tx, f citizen.Fact[payer.Coverage]) (importing.Result, error) {
	k := f.Value.Key()
	var digest []byte
	err := sqltx.Of(t).Each(ctx, `
		SELECT digest FROM coverage
		 WHERE citizen_id = $1 AND insurer_key = $2 AND symbol_key = $3 AND number_key = $4
		   AND branch = $5 AND valid_from = $6`,
		[]any{string(f.Citizen), k.Insurer, k.Symbol, k.Number, string(f.Value.Branch), f.Value.ValidFrom.String()},
		func(scan func(...any) error) error { return scan(&digest) })
	if err == nil && bytes.Equal(digest, f.Digest) {
		return importing.Unchanged, nil
	}
	return importing.Changed, err
}

// Replace implements payer.CoverageRows.
func (r *Rows) Replace(ctx context.Context, t tx.Tx, fact citizen.Fact[payer.Coverage]) error {
	_, err := sqltx.Of(t).Exec(ctx, insert+` DO UPDATE
		   SET valid_to = excluded.valid_to, municipality_code = excluded.municipality_code,
		       insurer_number = excluded.insurer_number, insurer_name = excluded.insurer_name,
		       symbol = excluded.symbol, number = excluded.number,
		       copayment_percent = excluded.copayment_percent, insured_kind = excluded.insured_kind,
		       digest = excluded.digest`, fields(fact)...)
	return err
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
