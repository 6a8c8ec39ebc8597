// Package ecsig promises ECDSA signatures in the one form that signed documents carry, r
// and s as two numbers of the curve's length behind each other, over the library's ASN.1:
// what is not exactly of that length is no signature.
//
// Source: RFC 7518 section 3.4 (JOSE), RFC 9053 section 2.1 (COSE).
package ecsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

const (
	tagInteger = 0x02
	tagSeq     = 0x30
	longForm   = 0x81 // a length of 128 to 255 follows in one byte
	maxScalar  = 66   // bytes of a number on P-521
	maxDER     = 3 + 2*(2+1+maxScalar)
)

// Size gives the length of a signature on the curve in bytes: 64, 96 or 132; 0 for a
// curve that no document here is signed on.
func Size(curve elliptic.Curve) int {
	switch curve {
	case elliptic.P256():
		return 64
	case elliptic.P384():
		return 96
	case elliptic.P521():
		return 132
	}
	return 0
}

// Verify tells whether key signed the digest with r||s. A signature of another length is
// none, also where it would verify as ASN.1.
func Verify(key *ecdsa.PublicKey, digest, raw []byte) bool {
	if key == nil || len(raw) == 0 || len(raw) != Size(key.Curve) {
		return false
	}
	var room [maxDER]byte
	return ecdsa.VerifyASN1(key, digest, appendDER(room[:0], raw))
}

// Sign gives r||s over the digest, made by hash. A key in memory signs deterministically
// (RFC 6979): the same digest gives the same bytes. A key in a device may not.
func Sign(signer crypto.Signer, hash crypto.Hash, digest []byte) ([]byte, error) {
	if signer == nil {
		return nil, errors.New("cannot sign: no key")
	}
	public, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || Size(public.Curve) == 0 {
		return nil, errors.New("cannot sign: not a key on P-256, P-384 or P-521")
	}
	der, err := signer.Sign(nil, digest, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) != 0 {
		return nil, errors.New("cannot sign: the key gave no ASN.1 signature")
	}
	raw := make([]byte, Size(public.Curve))
	half := len(raw) / 2
	if pair.R.Sign() <= 0 || pair.S.Sign() <= 0 || pair.R.BitLen() > 8*half || pair.S.BitLen() > 8*half {
		return nil, errors.New("cannot sign: the key gave a signature of another curve")
	}
	pair.R.FillBytes(raw[:half])
	pair.S.FillBytes(raw[half:])
	return raw, nil
}

// appendDER writes r||s as the ASN.1 that the library verifies. It is by hand because
// every document scanned passes here and the library's own way costs ten allocations.
func appendDER(out, raw []byte) []byte {
	half := len(raw) / 2
	var room [maxDER]byte
	body := appendInteger(appendInteger(room[:0], raw[:half]), raw[half:])
	out = append(out, tagSeq)
	if len(body) >= 0x80 {
		out = append(out, longForm)
	}
	out = append(out, byte(len(body)))
	return append(out, body...)
}

// appendInteger writes an unsigned number as the shortest ASN.1 INTEGER.
func appendInteger(out, number []byte) []byte {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	if number[0]&0x80 != 0 {
		out = append(out, tagInteger, byte(len(number)+1), 0)
	} else {
		out = append(out, tagInteger, byte(len(number)))
	}
	return append(out, number...)
}
