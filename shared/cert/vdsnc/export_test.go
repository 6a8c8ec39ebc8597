package vdsnc

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
)

// ReadCurve is readCurve for tests.
func ReadCurve(der []byte) (elliptic.Curve, error) {
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, err
	}
	return readCurve(v)
}

// IsBrainpool tells whether an error names a brainpool curve.
func IsBrainpool(err error) bool { return errors.Is(err, errBrainpool) }

// ReadCertificate is readCertificate for tests.
func ReadCertificate(der []byte) error {
	_, err := readCertificate(der)
	return err
}

// Chains gives the number of remembered chains of a loaded section.
func Chains(section any) int {
	a := section.(*anchors)
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.chains)
}

// Forget empties the memory of a loaded section.
func Forget(section any) {
	a := section.(*anchors)
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.chains)
}

// MaxChains is maxChains for tests.
const MaxChains = maxChains

// SameCountry is sameCountry for tests.
func SameCountry(state, country string) bool { return sameCountry(state, country) }

// Countries gives the number of rows, 0 where they are not all of one length.
func Countries() int {
	if len(countries)%countryRow != 0 {
		return 0
	}
	return len(countries) / countryRow
}
