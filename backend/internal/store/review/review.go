// Package review reads the access record for auditors: the SQL of backend/internal/review.
package review

import (
	"context"
	"encoding/json"

	"madoguchi.example/backend/internal/review"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/identity"
)

// Rows implements review.Rows on both engines.
type Rows struct{}

var _ review.Rows = (*Rows)(nil)

// New makes the rows. All their work happens in the callers' transactions.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// Newest implements review.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]auditlog.Entry, error) {
	var found []auditlog.Entry
	err := sqltx.Of(t).Each(ctx, `
		SELECT entry_id, at, actor_kind, actor_id, purpose, action, citizen_id, object, items
		  FROM audit_entry WHERE municipality_code = $1
		 ORDER BY at DESC, entry_id DESC LIMIT $2`,
		[]any{m, limit}, func(scan func(...any) error) error {
			e := auditlog.Entry{Municipality: string(m)}
			var at int64
			var items string
			if err := scan(&e.ID, &at, &e.Actor.Kind, &e.Actor.ID, &e.Purpose, &e.Action, &e.CitizenID, &e.Object, &items); err != nil {
				return err
			}
			e.At = sqltx.Time(at)
			err := json.Unmarshal([]byte(items), &e.Items)
			found = append(found, e)
			return err
		})
	return found, err
}
