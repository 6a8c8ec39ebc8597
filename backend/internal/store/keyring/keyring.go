// Package keyring keeps the public part and the times of signing keys in the store: the
// SQL of backend/internal/keyring. Acts on the keys of one use wait for each other at one
// row.
package keyring

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// Rows implements keyring.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ keyring.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

func (r *Rows) reader(t tx.Tx) sqltx.Reader {
	if t != nil {
		return sqltx.Of(t)
	}
	return r.reads
}

// Hold implements keyring.Rows.
func (*Rows) Hold(ctx context.Context, t tx.Tx, use keyring.Use) (acts int64, err error) {
	err = sqltx.Of(t).Each(ctx, `
		INSERT INTO signing_ring (used_for, acts) VALUES ($1, 1)
		ON CONFLICT (used_for) DO UPDATE SET acts = signing_ring.acts + 1
		RETURNING acts`, []any{use}, func(scan func(...any) error) error { return scan(&acts) })
	return acts, err
}

// none is how a time that is not set is stored.
const none = -1

func micros(t time.Time) int64 {
	if t.IsZero() {
		return none
	}
	return sqltx.Micros(t)
}

func moment(micros int64) time.Time {
	if micros == none {
		return time.Time{}
	}
	return sqltx.Time(micros)
}

// Keys implements keyring.Rows.
func (r *Rows) Keys(ctx context.Context, t tx.Tx, use keyring.Use) ([]keyring.Stored, error) {
	var out []keyring.Stored
	err := r.reader(t).Each(ctx, `
		SELECT key_id, number, public_key, certificate, locator, specimen, published_from, use_from, use_until, withdrawn_at, destroyed_at
		  FROM signing_key WHERE used_for = $1 ORDER BY number DESC`, []any{use},
		func(scan func(...any) error) error {
			k := keyring.Stored{Key: keyring.Key{Use: use}}
			var public []byte
			var published, from, until, withdrawn, destroyed int64
			err := scan(&k.ID, &k.Number, &public, &k.Certificate, &k.Locator, &k.Specimen, &published, &from, &until, &withdrawn, &destroyed)
			if err != nil {
				return err
			}
			k.PublishedFrom, k.UseFrom, k.UseUntil = moment(published), moment(from), moment(until)
			k.Withdrawn, k.Destroyed = moment(withdrawn), moment(destroyed)
			k.Public, err = publicKey(public)
			out = append(out, k)
			return err
		})
	return out, err
}

func publicKey(der []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read a stored key: %w", err)
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("cannot read a stored key: it is not of an elliptic curve")
	}
	return ec, nil
}

// Insert implements keyring.Rows.
func (*Rows) Insert(ctx context.Context, t tx.Tx, k keyring.Stored) error {
	public, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("cannot store a key: %w", err)
	}
	certificate := k.Certificate
	if certificate == nil {
		certificate = []byte{}
	}
	_, err = sqltx.Of(t).Exec(ctx, `
		INSERT INTO signing_key (used_for, key_id, number, public_key, certificate, locator, specimen, published_from, use_from, use_until, withdrawn_at, destroyed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		k.Use, k.ID, k.Number, public, certificate, k.Locator, k.Specimen,
		micros(k.PublishedFrom), micros(k.UseFrom), micros(k.UseUntil), micros(k.Withdrawn), micros(k.Destroyed))
	return err
}

// SetTimes implements keyring.Rows.
func (*Rows) SetTimes(ctx context.Context, t tx.Tx, k keyring.Stored) error {
	n, err := sqltx.Of(t).Exec(ctx, `
		UPDATE signing_key SET use_from = $1, use_until = $2, withdrawn_at = $3, destroyed_at = $4
		 WHERE used_for = $5 AND key_id = $6`,
		micros(k.UseFrom), micros(k.UseUntil), micros(k.Withdrawn), micros(k.Destroyed), k.Use, k.ID)
	if err == nil && n != 1 {
		err = errors.New("cannot change a key that is not there")
	}
	return err
}
