// Package jws promises the strict compact JWS that signed cards use: one canonical
// base64url text per value (no padding, blanks or loose trailing bits), ES256 signatures
// as 64 raw bytes r||s, and a signed text that is exactly the characters received.
// What a header must say is each format's own rule.
package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"

	"madoguchi.example/shared/cert/internal/ecsig"
	"madoguchi.example/shared/internal/base64url"
)

// SignatureSize is the length of r||s for ES256 (RFC 7518 section 3.4).
const SignatureSize = 64

// Faults of a compact JWS.
var (
	ErrParts     = errors.New("not three parts")
	ErrSignature = errors.New("signature is not 64 bytes r||s")
)

// Token is a compact JWS taken apart. Its slices belong to the caller.
type Token struct {
	Header    []byte
	Payload   []byte // as received below base64url: still compressed where the format compresses
	Signature [SignatureSize]byte
	Signed    []byte // the text that was signed; shares memory with the input
}

// Parse takes a compact JWS apart, whose length the caller has bounded.
func Parse(compact []byte) (Token, error) {
	first := bytes.IndexByte(compact, '.')
	last := bytes.LastIndexByte(compact, '.')
	if first < 0 || first == last || bytes.IndexByte(compact[first+1:last], '.') >= 0 {
		return Token{}, ErrParts
	}
	t := Token{Signed: compact[:last]}
	header, payload := compact[:first], compact[first+1:last]
	size := base64url.DecodedLen(len(header))
	room := make([]byte, size+base64url.DecodedLen(len(payload)))
	t.Header, t.Payload = room[:size:size], room[size:]
	if err := base64url.DecodeInto(t.Header, header); err != nil {
		return Token{}, fmt.Errorf("header: %w", err)
	}
	if err := base64url.DecodeInto(t.Payload, payload); err != nil {
		return Token{}, fmt.Errorf("payload: %w", err)
	}
	if err := t.signature(compact[last+1:]); err != nil {
		return Token{}, err
	}
	return t, nil
}

func (t *Token) signature(text []byte) error {
	if !base64url.Alphabet(text) {
		return fmt.Errorf("signature: %w", base64url.ErrText)
	}
	if len(text) != base64url.EncodedLen(SignatureSize) {
		return ErrSignature
	}
	if err := base64url.DecodeInto(t.Signature[:], text); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	return nil
}

// VerifyES256 tells whether key signed the token. The key is on P-256.
func (t *Token) VerifyES256(key *ecdsa.PublicKey) bool {
	hash := sha256.Sum256(t.Signed)
	return ecsig.Verify(key, hash[:], t.Signature[:])
}

// SignES256 gives the compact JWS of header and payload. A key in memory signs
// deterministically (RFC 6979), so that the same card signed twice is the same text.
func SignES256(signer crypto.Signer, header, payload []byte) (string, error) {
	if !onP256(signer) {
		return "", errors.New("cannot sign: the key is not on P-256")
	}
	signed := base64url.Encode(header) + "." + base64url.Encode(payload)
	hash := sha256.Sum256([]byte(signed))
	raw, err := ecsig.Sign(signer, crypto.SHA256, hash[:])
	if err != nil {
		return "", err
	}
	return signed + "." + base64url.Encode(raw), nil
}

func onP256(signer crypto.Signer) bool {
	if signer == nil {
		return false
	}
	public, ok := signer.Public().(*ecdsa.PublicKey)
	return ok && public.Curve == elliptic.P256()
}
