package jws

import (
	"encoding/asn1"
	"fmt"
	"math/big"
)

// rawSignature turns the library's ASN.1 signature into r||s.
func rawSignature(der []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("cannot sign: not an ASN.1 signature")
	}
	raw := make([]byte, SignatureSize)
	pair.R.FillBytes(raw[:SignatureSize/2])
	pair.S.FillBytes(raw[SignatureSize/2:])
	return raw, nil
}
