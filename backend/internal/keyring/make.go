package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"time"

	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/vdsnc"
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
	// leadIn is how long before it is made an hcert signer's certificate begins, for readers
	// whose clock is late.
	leadIn = time.Hour
)

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
	switch use {
	case HCERT:
		return hcert.KeyID(der), nil
	case VDSNC:
		sum := sha256.Sum256(der)
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
		SerialNumber: number, Subject: name, NotBefore: now.Add(-leadIn).Truncate(time.Second), NotAfter: now.Add(SignerValidity).Truncate(time.Second),
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

// SpecimenAuthority is the name above a specimen's signer.
const SpecimenAuthority = "Specimen CSCA, proves nothing"

// specimen certifies a key under an authority of its own, whose key is forgotten at once.
func specimen(public *ecdsa.PublicKey, now time.Time, rand io.Reader) ([]byte, error) {
	above, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, err
	}
	now = now.Truncate(time.Second)
	term := vdsnc.Term{From: now, UsageUntil: now.Add(SpecimenUsage), Until: now.Add(SpecimenValidity)}
	authority, err := vdsnc.NewCSCA(above, vdsnc.Name{Country: vdsnc.SpecimenCountry, Common: SpecimenAuthority}, term)
	if err != nil {
		return nil, err
	}
	return vdsnc.NewBSC(authority, above, public, vdsnc.Name{Country: vdsnc.SpecimenCountry, Common: "Specimen signer, proves nothing"}, term)
}

// checkBorder reads a VDS-NC signer's certificate from outside.
func checkBorder(der []byte) (*ecdsa.PublicKey, error) {
	const place = "certificate"
	u, err := vdsnc.ReadBSC(der)
	switch {
	case err != nil:
		return nil, fault.At(fault.InvalidArgument, place, "%s", err.Error())
	case u.Public.Curve != elliptic.P256():
		return nil, fault.At(fault.InvalidArgument, place, "its key is not on the curve P-256")
	case u.Country == vdsnc.SpecimenCountry:
		return nil, fault.At(fault.InvalidArgument, place, "it is a specimen's")
	}
	return u.Public, nil
}

// window gives from when until when a key's certificate lets it sign; zero times where
// nothing bounds it.
func window(k Key) (from, until time.Time, err error) {
	switch {
	case len(k.Certificate) == 0:
		return from, until, nil
	case k.Use == VDSNC:
		u, err := vdsnc.ReadBSC(k.Certificate)
		return u.From, u.Until, err
	}
	c, err := x509.ParseCertificate(k.Certificate)
	if err != nil {
		return from, until, err
	}
	return c.NotBefore, c.NotAfter, nil
}

// SignsUntil gives until when the key may sign if nothing follows it: the end that its
// certificate sets, or zero.
func (k Key) SignsUntil() time.Time {
	_, until, err := window(k)
	if err != nil {
		return time.Time{}
	}
	return until
}

// How old a key in force grows before another should follow: a year is what the SMART
// Health Cards specification asks for.
const (
	RotateAfter = 365 * 24 * time.Hour
	// RotateBefore is how long before its certificate's end a key should be followed.
	RotateBefore = 30 * 24 * time.Hour
)

// Due tells whether the key is in force and should be followed by another soon.
func (k Key) Due(at time.Time) bool {
	if !k.InForce(at) || k.Specimen || !k.UseUntil.IsZero() {
		return false
	}
	end := k.SignsUntil()
	return at.Sub(k.UseFrom) > RotateAfter || !end.IsZero() && end.Sub(at) < RotateBefore
}

// maySign refuses a key whose certificate does not let it sign at that time.
func maySign(k Key, at time.Time) error {
	from, until, err := window(k)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot read a stored certificate")
	}
	if !until.IsZero() && (at.Before(from) || at.After(until)) {
		return fault.At(fault.Unavailable, string(k.Use), "no signer: the signer certificate may sign from %s until %s",
			from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	}
	return nil
}
