package jws

import (
	"encoding/asn1"
	"errors"
	"math/big"
)

const (
	scalarSize = SignatureSize / 2
	tagInteger = 0x02
	tagSeq     = 0x30
	maxDER     = 2 + 2*(2+1+scalarSize)
)

// rawSignature turns the library's ASN.1 signature into r||s.
func rawSignature(der []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) != 0 {
		return nil, errors.New("cannot sign: not an ASN.1 signature")
	}
	raw := make([]byte, SignatureSize)
	pair.R.FillBytes(raw[:scalarSize])
	pair.S.FillBytes(raw[scalarSize:])
	return raw, nil
}

// appendDER writes r||s as the ASN.1 that the library verifies. It is by hand because
// every card scanned passes here and the library's own way costs ten allocations.
func appendDER(out []byte, raw *[SignatureSize]byte) []byte {
	out = append(out, tagSeq, 0)
	out = appendInteger(out, raw[:scalarSize])
	out = appendInteger(out, raw[scalarSize:])
	out[1] = byte(len(out) - 2)
	return out
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
