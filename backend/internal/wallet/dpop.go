package wallet

import (
	"context"
	"crypto/hmac"
	"encoding/base64"

	"madoguchi.example/backend/internal/tx"
)

// dpopType is the typ of a proof of possession (RFC 9449).
const dpopType = "dpop+jwt"

// possession takes a DPoP proof for a POST to our path; token is the access token that it
// goes with, or "". Its id is spent by the caller.
func (d *Desk) possession(proof, path, token string) (signedHere, error) {
	p, err := readSigned(proof, dpopType)
	if err != nil || !d.timely(p) {
		return p, errInvalidDPoP
	}
	method, _ := text(p.claims["htm"], 16)
	at, _ := text(p.claims["htu"], MaxValue)
	_, identified := text(p.claims["jti"], MaxValue)
	if method != "POST" || at != d.Issuer+path || !identified {
		return p, errInvalidDPoP
	}
	if token != "" {
		hash, _ := text(p.claims["ath"], 64)
		if !hmac.Equal([]byte(hash), []byte(base64.RawURLEncoding.EncodeToString(hashOf(token)))) {
			return p, errInvalidDPoP
		}
	}
	return p, nil
}

// spendPossession lets a DPoP proof be used once.
func (d *Desk) spendPossession(ctx context.Context, t tx.Tx, p signedHere) error {
	id, _ := text(p.claims["jti"], MaxValue)
	fresh, err := d.Rows.SpendOnce(ctx, t, d.mark("dpop", p.thumbprint, id), p.issuedAt.Add(ProofAge))
	if err == nil && !fresh {
		return errInvalidDPoP
	}
	return err
}
