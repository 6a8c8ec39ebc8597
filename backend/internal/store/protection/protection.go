// Package protection keeps protections and what was withheld because of them in the store:
// the SQL of backend/internal/protection.
package protection

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements protection.Rows on both engines.
type Rows struct{}

var _ protection.Rows = (*Rows)(nil)

// New makes the rows. Every read is part of a transaction.
func New(*sqltx.Pool) *Rows { return &Rows{} }

var table = bulk.Table{Name: "protection", Key: []string{"citizen_id", "kind"}, Columns: []string{"municipality", "since", "until"}}

func row(f citizen.Fact[protection.Flag]) bulk.Row {
	return bulk.Row{Key: []any{string(f.Citizen), string(f.Value.Kind)},
		Values: []any{f.Value.Municipality, f.Value.Since.String(), f.Value.Until.String()}, Digest: f.Digest}
}

// Add implements protection.Rows.
func (*Rows) Add(ctx context.Context, t tx.Tx, facts []citizen.Fact[protection.Flag]) ([]importing.Result, error) {
	rows := make([]bulk.Row, len(facts))
	for i, f := range facts {
		rows[i] = row(f)
	}
	return table.Add(ctx, sqltx.Of(t), rows)
}

// Replace implements protection.Rows.
func (*Rows) Replace(ctx context.Context, t tx.Tx, f citizen.Fact[protection.Flag]) error {
	return table.Replace(ctx, sqltx.Of(t), row(f))
}

const flagColumns = `citizen_id, municipality, kind, since, until`

func flags(ctx context.Context, t tx.Tx, query string, args ...any) ([]protection.Flag, error) {
	var out []protection.Flag
	err := sqltx.Of(t).Each(ctx, `SELECT `+flagColumns+` FROM protection `+query, args, func(scan func(...any) error) error {
		var f protection.Flag
		var since, until string
		err := scan(&f.Citizen, &f.Municipality, &f.Kind, &since, &until)
		if err != nil {
			return err
		}
		if f.Since, err = civil.Parse(since); err != nil {
			return err
		}
		if until != "" {
			if f.Until, err = civil.Parse(until); err != nil {
				return err
			}
		}
		out = append(out, f)
		return nil
	})
	return out, err
}

// Get implements protection.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, of identity.CitizenID, k protection.Kind) (protection.Flag, bool, error) {
	found, err := flags(ctx, t, `WHERE citizen_id = $1 AND kind = $2`, of, k)
	if err != nil || len(found) == 0 {
		return protection.Flag{}, false, err
	}
	return found[0], true, nil
}

// Put implements protection.Rows.
func (*Rows) Put(ctx context.Context, t tx.Tx, f protection.Flag) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO protection (citizen_id, kind, municipality, since, until, digest) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (citizen_id, kind) DO UPDATE SET since = excluded.since, until = excluded.until`,
		f.Citizen, f.Kind, f.Municipality, f.Since.String(), f.Until.String(), []byte{})
	return err
}

const inForce = `since <= $1 AND (until = '' OR until >= $1)`

// Protected implements protection.Rows.
func (*Rows) Protected(ctx context.Context, t tx.Tx, ids []identity.CitizenID, on civil.Date) (map[identity.CitizenID]bool, error) {
	out := map[identity.CitizenID]bool{}
	for part := range slices.Chunk(ids, bulk.MaxPlaces-1) {
		args := []any{on.String()}
		for _, id := range part {
			args = append(args, id)
		}
		err := sqltx.Of(t).Each(ctx, `SELECT citizen_id FROM protection WHERE `+inForce+` AND citizen_id IN `+bulk.List(2, len(part)), args,
			func(scan func(...any) error) error {
				var id identity.CitizenID
				err := scan(&id)
				out[id] = true
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// InForce implements protection.Rows.
func (*Rows) InForce(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, on civil.Date, limit int) ([]protection.Flag, error) {
	return flags(ctx, t, `WHERE `+inForce+` AND municipality = $2 ORDER BY since DESC, citizen_id, kind LIMIT $3`, on.String(), m, limit)
}
