// Package idempotency keeps repeated calls in the store: the SQL of
// backend/internal/idempotency.
package idempotency

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// Rows implements idempotency.Rows on both engines.
type Rows struct{}

var _ idempotency.Rows = (*Rows)(nil)

// New makes the rows. All their work happens in the callers' transactions.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// Find implements idempotency.Rows.
func (*Rows) Find(ctx context.Context, t tx.Tx, subject, operation, key string, since time.Time) (idempotency.Kept, bool, error) {
	var kept idempotency.Kept
	found := false
	err := sqltx.Of(t).Each(ctx, `
		SELECT fingerprint, response FROM idempotency
		 WHERE citizen_id = $1 AND operation = $2 AND key = $3 AND created_at >= $4`,
		[]any{subject, operation, key, sqltx.Micros(since)},
		func(scan func(...any) error) error {
			found = true
			return scan(&kept.Fingerprint, &kept.Response)
		})
	return kept, found, err
}

// Insert implements idempotency.Rows.
func (*Rows) Insert(ctx context.Context, t tx.Tx, c idempotency.Call, response []byte, at, since time.Time) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO idempotency (citizen_id, operation, key, fingerprint, response, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (citizen_id, operation, key) DO UPDATE
		   SET fingerprint = excluded.fingerprint, response = excluded.response, created_at = excluded.created_at
		 WHERE idempotency.created_at < $7`,
		c.Subject, c.Operation, c.Key, c.Fingerprint, append([]byte{}, response...), sqltx.Micros(at), sqltx.Micros(since))
	return n == 1, err
}

// Sweep implements idempotency.Rows.
func (*Rows) Sweep(ctx context.Context, t tx.Tx, before time.Time, limit int) (int64, error) {
	return sqltx.Of(t).Exec(ctx, `
		DELETE FROM idempotency WHERE (citizen_id, operation, key) IN (
			SELECT citizen_id, operation, key FROM idempotency
			 WHERE created_at < $1 ORDER BY created_at LIMIT $2)`,
		sqltx.Micros(before), limit)
}
