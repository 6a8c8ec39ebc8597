package shc

import (
	"crypto/ecdsa"

	"madoguchi.example/shared/trust"
)

// JWKS gives the key set to publish at iss + "/.well-known/jwks.json".
func JWKS(keys ...trust.PublishedKey) ([]byte, error) { return trust.WriteJWKS(keys...) }

// Published wraps a public key without revocation list or certificate.
func Published(key *ecdsa.PublicKey) trust.PublishedKey { return trust.PublishedKey{Public: key} }
