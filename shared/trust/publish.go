package trust

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// PublishedKey is a public key with what its issuer publishes beside it.
type PublishedKey struct {
	Public     *ecdsa.PublicKey // on P-256
	CRLVersion int64            // ctr of its revocation list; 0: it has none
	X5C        [][]byte         // DER, leaf first; may be empty
}

type jwk struct {
	KTY        string   `json:"kty"`
	KID        string   `json:"kid"`
	Use        string   `json:"use"`
	Alg        string   `json:"alg"`
	CRV        string   `json:"crv"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
	X5C        []string `json:"x5c,omitempty"`
	CRLVersion int64    `json:"crlVersion,omitempty"`
}

// WriteJWKS gives the text of a key set. It never holds a private part.
func WriteJWKS(keys ...PublishedKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{[]jwk{}}
	for _, key := range keys {
		x, y, err := coordinates(key.Public)
		if err != nil {
			return nil, fmt.Errorf("cannot write the key set: %w", err)
		}
		j := jwk{KTY: "EC", KID: thumbprint(x, y), Use: "sig", Alg: "ES256", CRV: "P-256", X: x, Y: y, CRLVersion: key.CRLVersion}
		for _, der := range key.X5C {
			j.X5C = append(j.X5C, base64.StdEncoding.EncodeToString(der))
		}
		set.Keys = append(set.Keys, j)
	}
	return json.Marshal(set)
}
