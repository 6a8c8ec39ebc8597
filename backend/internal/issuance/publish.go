package issuance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// Ages of the trust bundle.
const (
	// TrustRenewal is how often the bundle's day and hour move on, and with them its
	// version: a terminal that asks more often is told that nothing changed.
	TrustRenewal = time.Hour
	// TrustMaxAge is how old a bundle may grow before a terminal calls it stale.
	TrustMaxAge = 7 * 24 * time.Hour
)

// JWKS gives the public keys, to be served at /.well-known/jwks.json for everybody and
// every web page. It never holds a private part. The caller must not change it.
func (x *Office) JWKS() []byte { return x.jwks }

// TrustBundle gives what terminals check certificates against: a tar in the layout of
// verify's --trust, and a version that changes with its content.
func (x *Office) TrustBundle(_ context.Context, _ actor.Terminal, _ audit.Purpose) (bundle []byte, version string, err error) {
	name, text, err := trust.IssuerFile(shc.Section.Name, x.Issuer, x.jwks)
	if err != nil {
		return nil, "", err
	}
	b := trust.Bundle{
		AsOf: x.Now().UTC().Truncate(TrustRenewal), MaxAge: TrustMaxAge,
		Files: map[string][]byte{name: text}, Sections: verify.Sections(),
	}
	var out bytes.Buffer
	if err := b.WriteTar(&out); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(out.Bytes())
	return out.Bytes(), base64.RawURLEncoding.EncodeToString(sum[:16]), nil
}
