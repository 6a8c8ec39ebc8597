// Package issuance keeps vaccination records and certificates in the store: the SQL of
// backend/internal/issuance.
package issuance

import (
	"context"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements issuance.Rows on both engines, and the list of what is revoked, by which
// nobody is found. Every other read is recorded in its transaction.
type Rows struct{ reads *sqltx.Pool }

var _ issuance.Rows = (*Rows)(nil)

// New makes the rows.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads} }

var refs = bulk.Table{Name: "vaccination_ref", Key: []string{"record_ref", "municipality"}, Columns: []string{"citizen_id"}}

var recordColumns = []string{"citizen_id", "municipality", "record_ref", "vaccine_code", "product", "manufacturer",
	"lot", "dose_number", "given_on", "performer", "country"}

// AddRecords implements issuance.Rows.
func (*Rows) AddRecords(ctx context.Context, t tx.Tx, rows []citizen.Fact[issuance.Record]) ([]importing.Result, error) {
	numbers := make([]bulk.Row, len(rows))
	for i, f := range rows {
		numbers[i] = bulk.Row{Key: []any{f.Value.Ref, f.Value.Municipality}, Values: []any{f.Citizen}, Digest: f.Digest}
	}
	results, err := refs.Add(ctx, sqltx.Of(t), numbers)
	if err != nil {
		return nil, err
	}
	var added [][]any
	for i, f := range rows {
		if results[i] == importing.Added {
			added = append(added, recordValues(f.Citizen, f.Value))
		}
	}
	if _, err = bulk.Insert(ctx, sqltx.Of(t), "vaccination", recordColumns, added); err != nil {
		return nil, err
	}
	return results, putAway(ctx, sqltx.Of(t), rows, results)
}

func recordValues(of identity.CitizenID, v issuance.Record) []any {
	return []any{of, v.Municipality, v.Ref, v.Code, v.Product, v.Manufacturer, v.Lot, v.Number, v.On.String(), v.Performer, v.Country}
}

// putAway makes Unchanged of what a correction has put away since: the file that said so
// may come again, and changes nothing.
func putAway(ctx context.Context, t *sqltx.Tx, rows []citizen.Fact[issuance.Record], results []importing.Result) error {
	for i, f := range rows {
		if results[i] != importing.Changed {
			continue
		}
		err := t.Each(ctx, `SELECT revision FROM vaccination_history WHERE citizen_id = $1 AND municipality = $2 AND record_ref = $3 AND before_digest = $4`,
			[]any{f.Citizen, f.Value.Municipality, f.Value.Ref, f.Digest}, func(scan func(...any) error) error {
				results[i] = importing.Unchanged
				return scan(new(int64))
			})
		if err != nil {
			return err
		}
	}
	return nil
}

func in(ids []identity.CitizenID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// Records implements issuance.Rows.
func (*Rows) Records(ctx context.Context, t tx.Tx, of []identity.CitizenID) (map[identity.CitizenID][]issuance.Record, error) {
	out := map[identity.CitizenID][]issuance.Record{}
	err := sqltx.Of(t).Each(ctx, `
		SELECT citizen_id, municipality, record_ref, vaccine_code, product, manufacturer, lot, dose_number, given_on, performer, country
		  FROM vaccination WHERE citizen_id IN `+bulk.List(1, len(of))+`
		 ORDER BY citizen_id, given_on, dose_number, record_ref`, in(of), func(scan func(...any) error) error {
		var id identity.CitizenID
		var r issuance.Record
		var on string
		err := scan(&id, &r.Municipality, &r.Ref, &r.Code, &r.Product, &r.Manufacturer, &r.Lot, &r.Number, &on, &r.Performer, &r.Country)
		if err != nil {
			return err
		}
		r.On, err = civil.Parse(on)
		out[id] = append(out[id], r)
		return err
	})
	return out, err
}
