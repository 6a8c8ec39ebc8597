package issuance

import (
	"context"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/store/sqltx"
)

var _ publication.Revocations = (*Rows)(nil)

// risen is from where the versions of lists count: rows are only ever inserted, so that their
// number is the number of changes, but a restored store has fewer of them than it had shown.
// The milliseconds of the last restoration are more than all changes before it.
const risen = `1 + coalesce((SELECT max(raised_at) / 1000 FROM fence), 0)`

// List implements publication.Revocations.
func (r *Rows) List(ctx context.Context, use keyring.Use, keyID string) ([]publication.Revoked, int64, error) {
	var out []publication.Revoked
	err := r.reads.Each(ctx, `SELECT token, revoked_at FROM revoked_token WHERE key_use = $1 AND key_id = $2 ORDER BY token`,
		[]any{string(use), keyID}, func(scan func(...any) error) error {
			var at int64
			k := publication.Revoked{Use: use, KeyID: keyID}
			err := scan(&k.Token, &at)
			k.At = sqltx.Time(at)
			out = append(out, k)
			return err
		})
	if err != nil {
		return nil, 0, err
	}
	var first int64
	err = r.reads.Each(ctx, `SELECT `+risen, nil, func(scan func(...any) error) error { return scan(&first) })
	return out, first + int64(len(out)), err
}

// ListVersion implements publication.Revocations.
func (r *Rows) ListVersion(ctx context.Context, use keyring.Use, keyID string) (version int64, err error) {
	err = r.reads.Each(ctx, `SELECT count(*) + `+risen+` FROM revoked_token WHERE key_use = $1 AND key_id = $2`,
		[]any{string(use), keyID}, func(scan func(...any) error) error { return scan(&version) })
	return version, err
}
