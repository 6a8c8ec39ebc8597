package issuance

import (
	"context"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// HoldCertificate implements issuance.Rows.
func (*Rows) HoldCertificate(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) error {
	_, err := sqltx.Of(t).Exec(ctx, `UPDATE certificate SET rid = rid WHERE citizen_id = $1 AND certificate_id = $2`, of, id)
	return err
}

// Revoke implements issuance.Rows.
func (*Rows) Revoke(ctx context.Context, t tx.Tx, r issuance.Revocation) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO certificate_revocation (citizen_id, certificate_id, revoked_at, ground, words, by_whom)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		r.Holder, r.ID, sqltx.Micros(r.At), string(r.Ground), r.Words, r.By)
	if err != nil || n == 0 {
		return false, err
	}
	var tokens [][]any
	for _, k := range r.Tokens {
		tokens = append(tokens, []any{string(k.Use), k.KeyID, k.Text, sqltx.Micros(r.At)})
	}
	_, err = bulk.Insert(ctx, sqltx.Of(t), "revoked_token", []string{"key_use", "key_id", "token", "revoked_at"}, tokens)
	return true, err
}

// Copies implements issuance.Rows.
func (*Rows) Copies(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) ([]issuance.Token, error) {
	var out []issuance.Token
	err := sqltx.Of(t).Each(ctx, `SELECT key_id, status_index FROM certificate_wallet_copy WHERE citizen_id = $1 AND certificate_id = $2
		ORDER BY key_id, status_index`, []any{of, id}, func(scan func(...any) error) error {
		var index int64
		k := issuance.Token{Use: keyring.SDJWT}
		err := scan(&k.KeyID, &index)
		k.Text = strconv.FormatInt(index, 10)
		out = append(out, k)
		return err
	})
	return out, err
}

// AddCopy implements issuance.Rows.
func (*Rows) AddCopy(ctx context.Context, t tx.Tx, of identity.CitizenID, id string, k issuance.Token, at time.Time) error {
	index, err := strconv.ParseInt(k.Text, 10, 64)
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `INSERT INTO certificate_wallet_copy (citizen_id, certificate_id, key_id, status_index, added_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, of, id, k.KeyID, index, sqltx.Micros(at))
	return err
}

// TakePlace implements issuance.Rows.
func (*Rows) TakePlace(ctx context.Context, t tx.Tx, index int64) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `INSERT INTO status_place (status_index) VALUES ($1) ON CONFLICT DO NOTHING`, index)
	return n == 1, err
}
