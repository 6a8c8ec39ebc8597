package protection

import (
	"context"

	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// AddWithheld implements protection.Rows.
func (*Rows) AddWithheld(ctx context.Context, t tx.Tx, withheld []protection.Withheld) error {
	rows := make([][]any, len(withheld))
	for i, w := range withheld {
		rows[i] = []any{w.Citizen, w.Object, w.What, w.ID, w.Municipality, w.Title, sqltx.Micros(w.At)}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "withheld", []string{"citizen_id", "object", "what", "withheld_id", "municipality", "title", "at"}, rows)
	return err
}

const withheldColumns = `SELECT w.citizen_id, w.object, w.what, w.withheld_id, w.municipality, w.title, w.at FROM withheld w `

func withheldBy(ctx context.Context, t tx.Tx, query string, args ...any) ([]protection.Withheld, error) {
	var out []protection.Withheld
	err := sqltx.Of(t).Each(ctx, withheldColumns+query, args, func(scan func(...any) error) error {
		var w protection.Withheld
		var at int64
		err := scan(&w.Citizen, &w.Object, &w.What, &w.ID, &w.Municipality, &w.Title, &at)
		w.At = sqltx.Time(at)
		out = append(out, w)
		return err
	})
	return out, err
}

// Waiting implements protection.Rows.
func (*Rows) Waiting(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]protection.Withheld, error) {
	return withheldBy(ctx, t, `WHERE w.municipality = $1 AND NOT EXISTS (SELECT 1 FROM withheld_settled s
		WHERE s.citizen_id = w.citizen_id AND s.withheld_id = w.withheld_id)
		ORDER BY w.at, w.withheld_id LIMIT $2`, m, limit)
}

// ByID implements protection.Rows.
func (*Rows) ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (protection.Withheld, bool, error) {
	found, err := withheldBy(ctx, t, `WHERE w.municipality = $1 AND w.withheld_id = $2`, m, id)
	if err != nil || len(found) == 0 {
		return protection.Withheld{}, false, err
	}
	return found[0], true, nil
}

// Settle implements protection.Rows.
func (*Rows) Settle(ctx context.Context, t tx.Tx, s protection.Settlement) (protection.Settlement, error) {
	x := sqltx.Of(t)
	stored, err := x.Exec(ctx, `INSERT INTO withheld_settled (citizen_id, withheld_id, how, note, settled_by, at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (citizen_id, withheld_id) DO NOTHING`,
		s.Citizen, s.ID, s.How, s.Note, s.By, sqltx.Micros(s.At))
	if err != nil || stored == 1 {
		return s, err
	}
	there := protection.Settlement{Citizen: s.Citizen, ID: s.ID}
	var at int64
	err = x.Each(ctx, `SELECT how, note, settled_by, at FROM withheld_settled WHERE citizen_id = $1 AND withheld_id = $2`,
		[]any{s.Citizen, s.ID}, func(scan func(...any) error) error { return scan(&there.How, &there.Note, &there.By, &at) })
	there.At = sqltx.Time(at)
	return there, err
}
