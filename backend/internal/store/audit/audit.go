// Package audit keeps the access record in the store: the SQL of backend/internal/audit.
//
// Entries are inserted and read, never changed.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/identity"
)

// Rows implements audit.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ audit.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// never stands in visible_from for an entry that its citizen must not learn of.
const never = int64(-1)

var columns = []string{"entry_id", "at", "visible_from", "actor_kind", "actor_id", "purpose", "action",
	"citizen_id", "municipality_code", "object", "items"}

// Insert implements audit.Rows.
func (r *Rows) Insert(ctx context.Context, t tx.Tx, e audit.Stored) error {
	return r.InsertAll(ctx, t, []audit.Stored{e})
}

// InsertAll implements audit.Rows.
func (r *Rows) InsertAll(ctx context.Context, t tx.Tx, entries []audit.Stored) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		items, err := json.Marshal(append([]string{}, e.Items...))
		if err != nil {
			return err
		}
		from := never
		if !e.VisibleFrom.IsZero() {
			from = sqltx.Micros(e.VisibleFrom)
		}
		rows[i] = []any{e.ID, sqltx.Micros(e.At), from, string(e.Actor.Kind), e.Actor.ID, e.Purpose, e.Action,
			e.CitizenID, e.Municipality, e.Object, string(items)}
	}
	stored, err := bulk.Insert(ctx, sqltx.Of(t), "audit_entry", columns, rows)
	if err != nil {
		return err
	}
	if stored != int64(len(entries)) {
		return fmt.Errorf("cannot keep the access record: %d of %d entries have a new id", stored, len(entries))
	}
	return nil
}

// Visible implements audit.Rows.
func (r *Rows) Visible(ctx context.Context, t tx.Tx, citizen identity.CitizenID, now time.Time, after audit.Position, limit int) ([]auditlog.Entry, error) {
	var from sqltx.Reader = r.reads
	if t != nil {
		from = sqltx.Of(t)
	}
	first := after.ID == ""
	var found []auditlog.Entry
	err := from.Each(ctx, `
		SELECT entry_id, at, actor_kind, actor_id, purpose, action, municipality_code, object, items
		  FROM audit_entry
		 WHERE citizen_id = $1 AND visible_from >= 0 AND visible_from <= $2
		   AND ($3 OR at < $4 OR (at = $4 AND entry_id < $5))
		 ORDER BY at DESC, entry_id DESC
		 LIMIT $6`,
		[]any{string(citizen), sqltx.Micros(now), first, sqltx.Micros(after.At), after.ID, limit},
		func(scan func(...any) error) error {
			e := auditlog.Entry{CitizenID: string(citizen)}
			var at int64
			var items string
			if err := scan(&e.ID, &at, &e.Actor.Kind, &e.Actor.ID, &e.Purpose, &e.Action, &e.Municipality, &e.Object, &items); err != nil {
				return err
			}
			e.At = sqltx.Time(at)
			found = append(found, e)
			return json.Unmarshal([]byte(items), &found[len(found)-1].Items)
		})
	return found, err
}
