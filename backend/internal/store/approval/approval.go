// Package approval keeps requests for a second person and their decisions in the store:
// the SQL of backend/internal/approval.
package approval

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements approval.Rows on both engines.
type Rows struct{}

var _ approval.Rows = (*Rows)(nil)

// New makes the rows. Every read is part of a transaction.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// Insert implements approval.Rows.
func (*Rows) Insert(ctx context.Context, t tx.Tx, r approval.Request, round int) (bool, error) {
	involved, err := json.Marshal(append([]string{}, r.Involved...))
	if err != nil {
		return false, err
	}
	rows, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO approval_request (request_id, kind, object, round, municipality, role, asked_by, asked_at, due, involved)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (kind, object, round) DO NOTHING`,
		r.ID, r.Kind, r.Object, round, r.Municipality, r.Role, r.AskedBy, sqltx.Micros(r.AskedAt), r.Due.String(), string(involved))
	return rows == 1, err
}

const columns = `r.request_id, r.kind, r.object, r.municipality, r.role, r.asked_by, r.asked_at, r.due, r.involved`

func scanRequest(scan func(...any) error, more ...any) (approval.Request, error) {
	var r approval.Request
	var at int64
	var due, involved string
	err := scan(append([]any{&r.ID, &r.Kind, &r.Object, &r.Municipality, &r.Role, &r.AskedBy, &at, &due, &involved}, more...)...)
	if err != nil {
		return r, err
	}
	r.AskedAt = sqltx.Time(at)
	if due != "" {
		if r.Due, err = civil.Parse(due); err != nil {
			return r, err
		}
	}
	return r, json.Unmarshal([]byte(involved), &r.Involved)
}

func requests(ctx context.Context, t tx.Tx, query string, args ...any) ([]approval.Request, error) {
	var out []approval.Request
	err := sqltx.Of(t).Each(ctx, `SELECT `+columns+` FROM approval_request r `+query, args, func(scan func(...any) error) error {
		r, err := scanRequest(scan)
		out = append(out, r)
		return err
	})
	return out, err
}

// Latest implements approval.Rows.
func (*Rows) Latest(ctx context.Context, t tx.Tx, kind, object string) (r approval.Request, d approval.Decision, round int, err error) {
	var at int64
	err = sqltx.Of(t).Each(ctx, `
		SELECT `+columns+`, r.round, coalesce(d.verdict, ''), coalesce(d.decided_by, ''), coalesce(d.reason, ''), coalesce(d.at, 0)
		  FROM approval_request r LEFT JOIN approval_decision d ON d.request_id = r.request_id
		 WHERE r.kind = $1 AND r.object = $2 ORDER BY r.round DESC LIMIT 1`, []any{kind, object},
		func(scan func(...any) error) (err error) {
			r, err = scanRequest(scan, &round, &d.Verdict, &d.By, &d.Reason, &at)
			return err
		})
	if d.Verdict != "" {
		d.Request, d.At = r.ID, sqltx.Time(at)
	}
	return r, d, round, err
}

// ByID implements approval.Rows.
func (*Rows) ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (approval.Request, bool, error) {
	found, err := requests(ctx, t, `WHERE r.request_id = $1 AND r.municipality = $2`, id, m)
	if err != nil || len(found) == 0 {
		return approval.Request{}, false, err
	}
	return found[0], true, nil
}

// Decide implements approval.Rows.
func (*Rows) Decide(ctx context.Context, t tx.Tx, d approval.Decision) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO approval_decision (request_id, verdict, decided_by, reason, at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request_id) DO NOTHING`, d.Request, d.Verdict, d.By, d.Reason, sqltx.Micros(d.At))
	return rows == 1, err
}

// Open implements approval.Rows.
func (*Rows) Open(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, roles []actor.Role, limit int) ([]approval.Request, error) {
	args := []any{m, limit}
	for _, r := range roles {
		args = append(args, r)
	}
	return requests(ctx, t, `WHERE r.municipality = $1 AND r.role IN `+bulk.List(3, len(roles))+`
		AND NOT EXISTS (SELECT 1 FROM approval_decision d WHERE d.request_id = r.request_id)
		ORDER BY r.asked_at, r.request_id LIMIT $2`, args...)
}

// Holders implements approval.Rows. An officer's roles are one text of words.
func (*Rows) Holders(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, role actor.Role) ([]approval.Officer, error) {
	var out []approval.Officer
	err := sqltx.Of(t).Each(ctx, `SELECT staff_id, name, roles FROM staff WHERE municipality_code = $1 ORDER BY name, staff_id`,
		[]any{m}, func(scan func(...any) error) error {
			var o approval.Officer
			var roles string
			if err := scan(&o.ID, &o.Name, &roles); err != nil {
				return err
			}
			if slices.Contains(strings.Fields(roles), string(role)) {
				out = append(out, o)
			}
			return nil
		})
	return out, err
}
