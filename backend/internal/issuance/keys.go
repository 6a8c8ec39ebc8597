package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

// uses are the keys by format.
var uses = map[cert.Format]keyring.Use{shc.Format: keyring.SHC, HCERT: keyring.HCERT, VDSNC: keyring.VDSNC}

// givenUp are the keys that were withdrawn, with when.
type givenUp map[string]time.Time

func keyName(use keyring.Use, id string) string { return string(use) + " " + id }

// givenUp finds out which keys were. Not inside a transaction.
func (x *Office) givenUp(ctx context.Context) (givenUp, error) {
	keys, err := x.Ring.List(ctx, actor.System{Name: "certificates"}, audit.CertificateDisplay)
	if err != nil {
		return nil, err
	}
	out := givenUp{}
	for _, k := range keys {
		if !k.Withdrawn.IsZero() {
			out[keyName(k.Use, k.ID)] = k.Withdrawn
		}
	}
	return out, nil
}

// version tells one set of withdrawn keys from another.
func (g givenUp) version() string {
	names := make([]string, 0, len(g))
	for name := range g {
		names = append(names, name)
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return "." + hex.EncodeToString(sum[:8])
}

// mark revokes, in the reader's hand, a certificate one of whose keys was given up: nobody
// believes what that key signed. Specimens prove nothing anyway.
func (g givenUp) mark(c *Certificate) {
	for _, r := range c.Renderings {
		if at, ok := g[keyName(uses[r.Format], r.KeyID)]; ok && !r.Specimen && c.Revoked.IsZero() {
			c.Revoked, c.RevokedFor = at, ForKey
		}
	}
}
