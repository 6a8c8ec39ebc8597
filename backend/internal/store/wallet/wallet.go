// Package wallet keeps what citizens allowed wallets to fetch: the SQL of
// backend/internal/wallet.
package wallet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/identity"
)

// Rows implements wallet.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ wallet.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// InsertGrant implements wallet.Rows.
func (*Rows) InsertGrant(ctx context.Context, t tx.Tx, g wallet.Grant) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO wallet_grant (code_hash, grant_id, kind, citizen_id, municipality_code, person_id, certificate_id, client_id,
		       redirect_uri, challenge, detailed, key_thumbprint, tries, created_at, expires_at, spent_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, 0)`,
		g.Hash, g.ID, g.Kind, g.Citizen, g.Municipality, g.Person, g.Certificate, g.Client, g.RedirectURI, g.Challenge, g.Detailed,
		g.Key, sqltx.Micros(g.CreatedAt), sqltx.Micros(g.ExpiresAt))
	return err
}

// VoidOffers implements wallet.Rows.
func (*Rows) VoidOffers(ctx context.Context, t tx.Tx, c identity.CitizenID, certificate string, now time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		UPDATE wallet_grant SET expires_at = $1
		 WHERE citizen_id = $2 AND certificate_id = $3 AND kind = $4 AND spent_at = 0 AND expires_at > $1`,
		sqltx.Micros(now), c, certificate, wallet.Offered)
	return err
}

const grantColumns = `code_hash, grant_id, kind, citizen_id, municipality_code, person_id, certificate_id, client_id,
	redirect_uri, challenge, detailed, key_thumbprint, created_at, expires_at`

// grant reads the one row that a claim returned.
func grant(ctx context.Context, t tx.Tx, query string, args ...any) (g wallet.Grant, found bool, err error) {
	err = sqltx.Of(t).Each(ctx, query+` RETURNING `+grantColumns, args, func(scan func(...any) error) error {
		var created, expires int64
		err := scan(&g.Hash, &g.ID, &g.Kind, &g.Citizen, &g.Municipality, &g.Person, &g.Certificate, &g.Client,
			&g.RedirectURI, &g.Challenge, &g.Detailed, &g.Key, &created, &expires)
		g.CreatedAt, g.ExpiresAt, found = sqltx.Time(created), sqltx.Time(expires), true
		return err
	})
	return g, found, err
}

// TryOffer implements wallet.Rows.
func (*Rows) TryOffer(ctx context.Context, t tx.Tx, hash []byte, limit int, now time.Time) (wallet.Grant, bool, error) {
	return grant(ctx, t, `
		UPDATE wallet_grant SET tries = tries + 1
		 WHERE code_hash = $1 AND kind = $2 AND expires_at > $3 AND tries < $4`,
		hash, wallet.Offered, sqltx.Micros(now), limit)
}

// SpendGrant implements wallet.Rows.
func (*Rows) SpendGrant(ctx context.Context, t tx.Tx, hash []byte, kind wallet.Kind, now time.Time) (wallet.Grant, bool, error) {
	return grant(ctx, t, `
		UPDATE wallet_grant SET spent_at = $1 WHERE code_hash = $2 AND kind = $3 AND spent_at = 0 AND expires_at > $1`,
		sqltx.Micros(now), hash, kind)
}

// InsertToken implements wallet.Rows.
func (*Rows) InsertToken(ctx context.Context, t tx.Tx, k wallet.Token) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO wallet_token (token_hash, code_hash, grant_id, citizen_id, municipality_code, person_id, certificate_id,
		       client_id, detailed, key_thumbprint, copies, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11)`,
		k.Hash, k.Grant, k.GrantID, k.Citizen, k.Municipality, k.Person, k.Certificate, k.Client, k.Detailed, k.Key,
		sqltx.Micros(k.ExpiresAt))
	return err
}

// TokenByHash implements wallet.Rows.
func (r *Rows) TokenByHash(ctx context.Context, hash []byte, now time.Time) (k wallet.Token, found bool, err error) {
	err = r.reads.Each(ctx, `
		SELECT code_hash, grant_id, citizen_id, municipality_code, person_id, certificate_id, client_id, detailed,
		       key_thumbprint, expires_at
		  FROM wallet_token WHERE token_hash = $1 AND expires_at > $2`,
		[]any{hash, sqltx.Micros(now)}, func(scan func(...any) error) error {
			var expires int64
			err := scan(&k.Grant, &k.GrantID, &k.Citizen, &k.Municipality, &k.Person, &k.Certificate, &k.Client, &k.Detailed,
				&k.Key, &expires)
			k.Hash, k.ExpiresAt, found = hash, sqltx.Time(expires), true
			return err
		})
	return k, found, err
}

// CountCopies implements wallet.Rows.
func (*Rows) CountCopies(ctx context.Context, t tx.Tx, hash []byte, n, limit int, now time.Time) (bool, error) {
	changed, err := sqltx.Of(t).Exec(ctx, `
		UPDATE wallet_token SET copies = copies + $1 WHERE token_hash = $2 AND expires_at > $3 AND copies <= $4`,
		n, hash, sqltx.Micros(now), limit-n)
	return changed == 1, err
}

// EndTokens implements wallet.Rows.
func (*Rows) EndTokens(ctx context.Context, t tx.Tx, grant []byte) error {
	_, err := sqltx.Of(t).Exec(ctx, `DELETE FROM wallet_token WHERE code_hash = $1`, grant)
	return err
}

// SpendOnce implements wallet.Rows.
func (*Rows) SpendOnce(ctx context.Context, t tx.Tx, hash []byte, until time.Time) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO wallet_once (once_hash, expires_at) VALUES ($1, $2) ON CONFLICT (once_hash) DO NOTHING`,
		hash, sqltx.Micros(until))
	return n == 1, err
}

func written(a wallet.Asked) (string, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("cannot keep a wallet's request: %w", err)
	}
	return string(raw), nil
}

func asked(raw string, into *wallet.Asked) error {
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		return fmt.Errorf("cannot read a wallet's request: %w", err)
	}
	return nil
}

// InsertPushed implements wallet.Rows.
func (*Rows) InsertPushed(ctx context.Context, t tx.Tx, hash []byte, a wallet.Asked, until time.Time) error {
	raw, err := written(a)
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `INSERT INTO wallet_pushed (name_hash, asked, expires_at) VALUES ($1, $2, $3)`,
		hash, raw, sqltx.Micros(until))
	return err
}

// TakePushed implements wallet.Rows.
func (*Rows) TakePushed(ctx context.Context, t tx.Tx, hash []byte, now time.Time) (a wallet.Asked, found bool, err error) {
	err = sqltx.Of(t).Each(ctx, `DELETE FROM wallet_pushed WHERE name_hash = $1 AND expires_at > $2 RETURNING asked`,
		[]any{hash, sqltx.Micros(now)}, func(scan func(...any) error) error {
			var raw string
			if err := scan(&raw); err != nil {
				return err
			}
			found = true
			return asked(raw, &a)
		})
	return a, found, err
}

// InsertVisit implements wallet.Rows.
func (*Rows) InsertVisit(ctx context.Context, t tx.Tx, v wallet.Visit) error {
	raw, err := written(v.Asked)
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `
		INSERT INTO wallet_visit (secret_hash, asked, citizen_id, municipality_code, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		v.Hash, raw, v.Citizen, v.Municipality, sqltx.Micros(v.ExpiresAt))
	return err
}

// SignVisit implements wallet.Rows.
func (*Rows) SignVisit(ctx context.Context, t tx.Tx, old, fresh []byte, c identity.CitizenID, m identity.MunicipalityCode, now time.Time) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		UPDATE wallet_visit SET secret_hash = $1, citizen_id = $2, municipality_code = $3
		 WHERE secret_hash = $4 AND citizen_id = '' AND expires_at > $5`,
		fresh, c, m, old, sqltx.Micros(now))
	return n == 1, err
}

const visitColumns = `secret_hash, asked, citizen_id, municipality_code, expires_at`

func visit(into *wallet.Visit, found *bool) func(func(...any) error) error {
	return func(scan func(...any) error) error {
		var raw string
		var expires int64
		if err := scan(&into.Hash, &raw, &into.Citizen, &into.Municipality, &expires); err != nil {
			return err
		}
		into.ExpiresAt, *found = sqltx.Time(expires), true
		return asked(raw, &into.Asked)
	}
}

// VisitByHash implements wallet.Rows.
func (r *Rows) VisitByHash(ctx context.Context, hash []byte, now time.Time) (v wallet.Visit, found bool, err error) {
	err = r.reads.Each(ctx, `SELECT `+visitColumns+` FROM wallet_visit WHERE secret_hash = $1 AND expires_at > $2`,
		[]any{hash, sqltx.Micros(now)}, visit(&v, &found))
	return v, found, err
}

// TakeVisit implements wallet.Rows.
func (*Rows) TakeVisit(ctx context.Context, t tx.Tx, hash []byte, now time.Time) (v wallet.Visit, found bool, err error) {
	err = sqltx.Of(t).Each(ctx, `DELETE FROM wallet_visit WHERE secret_hash = $1 AND expires_at > $2 RETURNING `+visitColumns,
		[]any{hash, sqltx.Micros(now)}, visit(&v, &found))
	return v, found, err
}

// sweeps remove what has expired; each takes the time and the limit.
var sweeps = []string{
	`DELETE FROM wallet_token WHERE token_hash IN (
		SELECT token_hash FROM wallet_token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM wallet_once WHERE once_hash IN (
		SELECT once_hash FROM wallet_once WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM wallet_pushed WHERE name_hash IN (
		SELECT name_hash FROM wallet_pushed WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM wallet_visit WHERE secret_hash IN (
		SELECT secret_hash FROM wallet_visit WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
}

const sweepGrants = `DELETE FROM wallet_grant WHERE code_hash IN (
	SELECT code_hash FROM wallet_grant WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`

// Sweep implements wallet.Rows.
func (*Rows) Sweep(ctx context.Context, t tx.Tx, now, keep time.Time, limit int) (more bool, err error) {
	remove := func(query string, before time.Time) error {
		n, err := sqltx.Of(t).Exec(ctx, query, sqltx.Micros(before), limit)
		more = more || n >= int64(limit)
		return err
	}
	for _, query := range sweeps {
		if err := remove(query, now); err != nil {
			return false, err
		}
	}
	return more, remove(sweepGrants, keep)
}
