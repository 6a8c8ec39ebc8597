package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// How long the certificates that the ring makes are valid.
const (
	// SignerValidity is that of an hcert signer. No document may outlive its signer's
	// certificate, so it is longer than documents are good for, and the key is rotated
	// well before its end.
	SignerValidity = 5 * 365 * 24 * time.Hour
	// SpecimenValidity and SpecimenUsage are those of a VDS-NC specimen's signer, and for
	// how long it may sign.
	SpecimenValidity = 10 * 365 * 24 * time.Hour
	SpecimenUsage    = 5 * 365 * 24 * time.Hour
)

// SpecimenState is who a specimen says that it is from: the state of Doc 9303's examples.
const SpecimenState = "UTO"

// vaccinationSigner is the extended key usage of a signer of vaccination certificates.
var vaccinationSigner = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1, 2}

// spare is a key that has its name and is not in the ring yet.
type spare struct {
	Stored
	made bool // by us, just now: without a row it is of no use
}

// make makes a key with its name, and its certificate where the use wants one.
func (r *Ring) make(use Use) (*spare, error) {
	f, err := r.generate(use)
	if err != nil {
		return nil, err
	}
	public, ok := f.signer.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fault.New(fault.Unavailable, "cannot make a key: what came is not on P-256")
	}
	k := Stored{Key: Key{Use: use, Public: public, Specimen: use == VDSNC}}
	switch use {
	case HCERT:
		k.Certificate, err = selfSigned(f.signer, r.Issuer, r.now(), r.Rand)
	case VDSNC:
		k.Certificate, err = specimen(public, r.now(), r.Rand)
	}
	if err == nil {
		k.ID, err = nameOf(use, public, k.Certificate)
	}
	if err == nil {
		k.Locator, err = r.keep(f, use, k.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return &spare{k, true}, nil
}

// nameOf gives the format's own name of a key.
func nameOf(use Use, public *ecdsa.PublicKey, der []byte) (string, error) {
	sum := sha256.Sum256(der)
	switch use {
	case HCERT:
		return base64.StdEncoding.EncodeToString(sum[:8]), nil
	case VDSNC:
		return hex.EncodeToString(sum[:]), nil
	}
	return trust.KeyID(public)
}

// selfSigned makes an hcert signer's certificate. Terminals pin it, so nothing is above it.
func selfSigned(key crypto.Signer, issuer string, now time.Time, rand io.Reader) ([]byte, error) {
	number, err := serial(rand)
	if err != nil {
		return nil, err
	}
	name := pkix.Name{Country: []string{"JP"}, CommonName: "Madoguchi certificate signer"}
	if u, err := url.Parse(issuer); err == nil && u.Hostname() != "" {
		name.Organization = []string{u.Hostname()}
	}
	t := x509.Certificate{
		SerialNumber: number, Subject: name, NotBefore: now.Truncate(time.Second), NotAfter: now.Add(SignerValidity).Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, UnknownExtKeyUsage: []asn1.ObjectIdentifier{vaccinationSigner},
	}
	return x509.CreateCertificate(rand, &t, &t, key.Public(), key)
}

func serial(rand io.Reader) (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return nil, err
	}
	raw[0] = raw[0]&0x7f | 0x40 // positive, and of full length
	return new(big.Int).SetBytes(raw), nil
}

// The extensions of a VDS-NC signer's certificate.
var (
	barcodeSigner = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 14, 2} // extended key usage
	documentTypes = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 6, 2}
	usagePeriod   = asn1.ObjectIdentifier{2, 5, 29, 16} // RFC 3280 section 4.2.1.4
	extendedUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

type (
	documentTypeList struct {
		Version int
		Types   []string `asn1:"set,printable"`
	}
	period struct {
		NotBefore time.Time `asn1:"generalized,optional,tag:0"`
		NotAfter  time.Time `asn1:"generalized,optional,tag:1"`
	}
)

// specimen certifies a key under an authority of its own, whose key is forgotten at once:
// no trust list holds it, and none ever can.
func specimen(public *ecdsa.PublicKey, now time.Time, rand io.Reader) ([]byte, error) {
	above, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, err
	}
	number, err := serial(rand)
	if err != nil {
		return nil, err
	}
	now = now.Truncate(time.Second)
	ca := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"UT"}, CommonName: "Specimen CSCA, proves nothing"},
		NotBefore: now, NotAfter: now.Add(SpecimenValidity), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authority, err := x509.CreateCertificate(rand, &ca, &ca, &above.PublicKey, above)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(authority)
	if err != nil {
		return nil, err
	}
	extensions, err := signerExtensions(now, now.Add(SpecimenUsage))
	if err != nil {
		return nil, err
	}
	leaf := x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{Country: []string{"UT"}, CommonName: "Specimen signer, proves nothing"},
		NotBefore: now, NotAfter: now.Add(SpecimenValidity), KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: extensions,
	}
	return x509.CreateCertificate(rand, &leaf, parsed, public, above)
}

func signerExtensions(from, until time.Time) ([]pkix.Extension, error) {
	usage, err1 := asn1.Marshal([]asn1.ObjectIdentifier{barcodeSigner})
	types, err2 := asn1.Marshal(documentTypeList{Types: []string{"NV"}})
	window, err3 := asn1.Marshal(period{NotBefore: from.UTC(), NotAfter: until.UTC()})
	return []pkix.Extension{
		{Id: extendedUsage, Critical: true, Value: usage}, {Id: documentTypes, Value: types}, {Id: usagePeriod, Value: window},
	}, errors.Join(err1, err2, err3)
}

// checkBorder reads a VDS-NC signer's certificate from outside.
func checkBorder(der []byte) (*ecdsa.PublicKey, error) {
	const place = "certificates.vdsnc.certificate_file"
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.At(fault.InvalidArgument, place, "is no X.509 certificate in PEM or DER")
	}
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fault.At(fault.InvalidArgument, place, "its key is not on the curve P-256")
	}
	for _, id := range c.UnknownExtKeyUsage {
		if id.Equal(barcodeSigner) {
			_, _, err := window(c)
			return public, err
		}
	}
	return nil, fault.At(fault.InvalidArgument, place, "does not allow its key to sign such documents (extended key usage 2.23.136.1.1.14.2)")
}

// window gives from when until when a certificate's key may sign.
func window(c *x509.Certificate) (from, until time.Time, err error) {
	from, until = c.NotBefore, c.NotAfter
	for _, e := range c.Extensions {
		if !e.Id.Equal(usagePeriod) {
			continue
		}
		var p period
		if rest, err := asn1.Unmarshal(e.Value, &p); err != nil || len(rest) > 0 {
			return from, until, fault.At(fault.InvalidArgument, "certificates.vdsnc.certificate_file", "its usage period cannot be read")
		}
		if p.NotBefore.After(from) {
			from = p.NotBefore
		}
		if !p.NotAfter.IsZero() && p.NotAfter.Before(until) {
			until = p.NotAfter
		}
	}
	return from, until, nil
}

// maySign refuses a key whose certificate does not let it sign at that time.
func maySign(k Key, at time.Time) error {
	if len(k.Certificate) == 0 {
		return nil
	}
	c, err := x509.ParseCertificate(k.Certificate)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot read a stored certificate")
	}
	from, until, err := window(c)
	if err != nil {
		return err
	}
	if at.Before(from) || at.After(until) {
		return fault.At(fault.Unavailable, string(k.Use), "no signer: the signer certificate may sign from %s until %s",
			from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	}
	return nil
}
