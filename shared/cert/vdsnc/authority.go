package vdsnc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// SpecimenCountry is the country of a specimen authority's name: Utopia's two letters.
const SpecimenCountry = "UT"

// Term says how long a certificate holds, and until when its private key signs. A zero
// UsageUntil means as long as the certificate.
type Term struct {
	From       time.Time
	UsageUntil time.Time
	Until      time.Time
}

// Name is the name of an authority or a signer.
type Name struct {
	Country string // two letters
	Common  string
}

func (n Name) pkix() pkix.Name { return pkix.Name{Country: []string{n.Country}, CommonName: n.Common} }

// NewCSCA makes a signing authority's self-signed certificate (DER) for key, on P-256, P-384
// or P-521 with its curve named. It is for specimens and tests: a state's authority makes
// its own.
func NewCSCA(key crypto.Signer, name Name, term Term) ([]byte, error) {
	template, err := newTemplate(key.Public(), name, term)
	if err != nil {
		return nil, fmt.Errorf("cannot make an authority's certificate: %w", err)
	}
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.AuthorityKeyId = template.SubjectKeyId
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot make an authority's certificate: %w", err)
	}
	return der, nil
}

// NewBSC makes a barcode signer's certificate (DER) for public, signed by the authority
// whose certificate (with a named curve) and key are given: for proofs of vaccination, with
// all the extensions that such a certificate has.
func NewBSC(csca []byte, authorityKey crypto.Signer, public crypto.PublicKey, name Name, term Term) ([]byte, error) {
	parent, err := x509.ParseCertificate(csca)
	if err != nil {
		return nil, fmt.Errorf("cannot make a signer's certificate: the authority's: %w", err)
	}
	template, err := newTemplate(public, name, term)
	if err != nil {
		return nil, fmt.Errorf("cannot make a signer's certificate: %w", err)
	}
	template.SubjectKeyId = nil // a signer needs none, and each byte counts in a code
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if err := addExtensions(template, []extensionValue{
		{oidExtendedUsage, true, []asn1.ObjectIdentifier{oidBarcodeSigner}},
		{oidDocumentTypes, false, documentTypeList{Types: []string{"NV"}}},
	}); err != nil {
		return nil, fmt.Errorf("cannot make a signer's certificate: %w", err)
	}
	der, err := x509.CreateCertificate(nil, template, parent, public, authorityKey)
	if err != nil {
		return nil, fmt.Errorf("cannot make a signer's certificate: %w", err)
	}
	return der, nil
}

// Request gives a request (PKCS #10, DER) for a signer's certificate, to be sent to the
// state's authority, which decides on all that is not name and key.
func Request(key crypto.Signer, name Name) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{Subject: name.pkix()}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return der, nil
}

// Usage is what Issue looks at in a signer's certificate.
type Usage struct {
	Public  *ecdsa.PublicKey
	Country string    // of the issuer's name: two letters
	From    time.Time // the private key may sign from then
	Until   time.Time // until then
	Expires time.Time // documents verify until then
}

// ReadBSC reads a barcode signer's certificate and refuses one that may not sign proofs of
// vaccination. It does not ask who signed it.
func ReadBSC(der []byte) (Usage, error) {
	c, err := readCertificate(der)
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read the signer's certificate: %w", err)
	}
	public, ok := c.public.(*ecdsa.PublicKey)
	switch {
	case !ok:
		return Usage{}, errors.New("cannot read the signer's certificate: not a key on P-256, P-384 or P-521")
	case c.unknownCritical:
		return Usage{}, errors.New("cannot read the signer's certificate: a critical extension that is not known")
	}
	d := document{message: message{kind: typeVaccination}}
	if reason := d.purpose(&chain{signer: c}); reason != "" {
		return Usage{}, errors.New("cannot read the signer's certificate: " + reason)
	}
	u := Usage{Public: public, Country: c.issuerCountry, From: c.notBefore, Until: c.notAfter, Expires: c.notAfter}
	if c.usageFrom.After(u.From) {
		u.From = c.usageFrom.UTC()
	}
	if !c.usageUntil.IsZero() && c.usageUntil.Before(u.Until) {
		u.Until = c.usageUntil.UTC()
	}
	return u, nil
}

// newTemplate gives what both kinds of certificate have. The serial number comes from the
// key and the term, so that no randomness is asked for and no two certificates share one.
func newTemplate(public crypto.PublicKey, name Name, term Term) (*x509.Certificate, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || algorithmOn(key.Curve).size == 0 {
		return nil, errors.New("not a key on P-256, P-384 or P-521")
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	if term.UsageUntil.IsZero() {
		term.UsageUntil = term.Until
	}
	if !term.From.Before(term.UsageUntil) || term.UsageUntil.After(term.Until) {
		return nil, errors.New("a term that does not begin before it ends")
	}
	const serialBytes, keyBytes = 8, 20
	sum := sha256.Sum256(spki)
	serial := sha256.Sum256(append(spki, (name.Common + term.From.UTC().String() + term.Until.UTC().String())...))
	serial[0] = serial[0]&0x3F | 0x40
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:serialBytes]),
		Subject:      name.pkix(), SubjectKeyId: sum[:keyBytes],
		NotBefore: term.From.UTC(), NotAfter: term.Until.UTC(),
	}
	period := usagePeriod{term.From.UTC().Truncate(time.Second), term.UsageUntil.UTC().Truncate(time.Second)}
	return t, addExtensions(t, []extensionValue{{oidUsagePeriod, false, period}})
}

type extensionValue struct {
	id       asn1.ObjectIdentifier
	critical bool
	value    any
}

func addExtensions(t *x509.Certificate, values []extensionValue) error {
	for _, v := range values {
		der, err := asn1.Marshal(v.value)
		if err != nil {
			return err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: v.id, Critical: v.critical, Value: der})
	}
	return nil
}
