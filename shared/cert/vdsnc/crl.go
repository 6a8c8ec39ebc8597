package vdsnc

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// revocationList is the newest list of one authority's key.
type revocationList struct {
	from, until time.Time
	serials     map[string]bool
}

// revokes tells whether the list names a serial number, given as its serialKey.
func (l *revocationList) revokes(serial string) bool { return l != nil && l.serials[serial] }

// serialKey sets negative numbers, which some authorities gave, apart from positive ones.
func serialKey(n *big.Int) string { return string(append([]byte{byte(n.Sign())}, n.Bytes()...)) }

func unmarshalWhole(der []byte, into any) ([]byte, error) {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) != 0 {
		err = errors.New("data behind it")
	}
	return rest, err
}

// addList gives a list to the authorities whose key signed it, unless they have a newer.
func (a *anchors) addList(der []byte) error {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return errors.New("not a revocation list in DER")
	}
	var outer struct {
		Content   asn1.RawValue
		Algorithm algorithmID
		Value     asn1.BitString
	}
	if _, err := unmarshalWhole(der, &outer); err != nil {
		return errors.New("not a revocation list in DER")
	}
	list, err := newList(parsed)
	if err != nil {
		return err
	}
	s := signed{outer.Content.FullBytes, outer.Algorithm, outer.Value.Bytes}
	owned := false
	for _, x := range a.authorities {
		if !x.lists(parsed) || !x.mayUse(bitListSign) || s.verify(x.public) != nil {
			continue
		}
		owned = true
		if x.list == nil || x.list.from.Before(list.from) {
			x.list = list
		}
	}
	if !owned {
		return errors.New("no authority of the trust list signed this revocation list")
	}
	return nil
}

// lists tells whether a list names this authority as its issuer.
func (x *authority) lists(l *x509.RevocationList) bool {
	if len(l.AuthorityKeyId) > 0 {
		return bytes.Equal(l.AuthorityKeyId, x.subjectKey)
	}
	return string(l.RawIssuer) == x.subject
}

// newList takes a full list. One of another scope (RFC 5280: delta, indirect, partitioned)
// says so by a critical extension, and is refused.
func newList(parsed *x509.RevocationList) (*revocationList, error) {
	for _, e := range parsed.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("a revocation list with a critical extension that is not known")
		}
	}
	if parsed.NextUpdate.IsZero() {
		return nil, errors.New("a revocation list that does not say when the next one comes")
	}
	list := &revocationList{from: parsed.ThisUpdate.UTC(), until: parsed.NextUpdate.UTC(), serials: map[string]bool{}}
	for _, entry := range parsed.RevokedCertificateEntries {
		list.serials[serialKey(entry.SerialNumber)] = true
	}
	return list, nil
}
