package vdsnc_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
)

// domain is X9.62's SpecifiedECDomain, written by the test.
type domain struct {
	Version int
	Field   struct {
		Kind  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Curve struct {
		A, B []byte
		Seed asn1.BitString `asn1:"optional"`
	}
	Base     []byte
	Order    *big.Int
	Cofactor *big.Int `asn1:"optional"`
}

func domainOf(curve elliptic.Curve) domain {
	p := curve.Params()
	size := (p.BitSize + 7) / 8
	var d domain
	d.Version = 1
	d.Field.Kind, d.Field.Prime = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}, p.P
	d.Curve.A = new(big.Int).Sub(p.P, big.NewInt(3)).FillBytes(make([]byte, size))
	d.Curve.B = p.B.FillBytes(make([]byte, size))
	d.Base = append(append([]byte{4}, p.Gx.FillBytes(make([]byte, size))...), p.Gy.FillBytes(make([]byte, size))...)
	d.Order, d.Cofactor = p.N, big.NewInt(1)
	return d
}

// negate takes the generator's negative: a point of the curve, but another group element.
func negate(d *domain, curve elliptic.Curve) {
	half := len(d.Base)/2 + 1
	new(big.Int).Sub(curve.Params().P, curve.Params().Gy).FillBytes(d.Base[half:])
}

// TestWrittenOutCurves: all parameters are compared, each one that differs refuses.
func TestWrittenOutCurves(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for name, c := range map[string]struct {
			change func(*domain)
			ok     bool
		}{
			"as it is":       {func(*domain) {}, true},
			"no cofactor":    {func(d *domain) { d.Cofactor = nil }, true},
			"with its seed":  {func(d *domain) { d.Curve.Seed = asn1.BitString{Bytes: []byte{1, 2}, BitLength: 16} }, true},
			"short base":     {func(d *domain) { d.Base = elliptic.MarshalCompressed(curve, curve.Params().Gx, curve.Params().Gy) }, true},
			"another prime":  {func(d *domain) { d.Field.Prime = new(big.Int).Add(d.Field.Prime, big.NewInt(2)) }, false},
			"another a":      {func(d *domain) { d.Curve.A[len(d.Curve.A)-1] ^= 1 }, false},
			"another b":      {func(d *domain) { d.Curve.B[len(d.Curve.B)-1] ^= 1 }, false},
			"another base":   {func(d *domain) { negate(d, curve) }, false},
			"another order":  {func(d *domain) { d.Order = new(big.Int).Sub(d.Order, big.NewInt(2)) }, false},
			"a cofactor":     {func(d *domain) { d.Cofactor = big.NewInt(4) }, false},
			"another field":  {func(d *domain) { d.Field.Kind = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 2} }, false},
			"empty base":     {func(d *domain) { d.Base = nil }, false},
			"infinite order": {func(d *domain) { d.Order = big.NewInt(0) }, false},
		} {
			d := domainOf(curve)
			c.change(&d)
			der, err := asn1.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := vdsnc.ReadCurve(der)
			if (err == nil) != c.ok || (c.ok && got != curve) || vdsnc.IsBrainpool(err) {
				t.Errorf("%s, %s: %v, %v", curve.Params().Name, name, got, err)
			}
		}
	}
}

func TestOtherCurves(t *testing.T) {
	prime, _ := hex.DecodeString("a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377")
	d := domainOf(elliptic.P256())
	d.Field.Prime = new(big.Int).SetBytes(prime)
	for name, c := range map[string]struct {
		value     any
		brainpool bool
	}{
		"brainpool by name":     {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, true},
		"brainpool written out": {d, true},
		"secp256k1":             {asn1.ObjectIdentifier{1, 3, 132, 0, 10}, false},
		"none":                  {asn1.NullRawValue, false},
	} {
		der, err := asn1.Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vdsnc.ReadCurve(der); err == nil || vdsnc.IsBrainpool(err) != c.brainpool {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRSAAuthority: authorities sign with RSA too, in both ways.
func TestRSAAuthority(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []x509.SignatureAlgorithm{
		x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	} {
		w := newWorld(t)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}}, NotBefore: term.From, NotAfter: term.Until, SubjectKeyId: []byte{1, 2, 3},
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, SignatureAlgorithm: algorithm,
		}
		if w.csca, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
			t.Fatal(err)
		}
		signer := &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: term.From, NotAfter: term.Until, SignatureAlgorithm: algorithm,
			ExtraExtensions: []pkix.Extension{signerUsage("2.23.136.1.1.14.2"), documentTypes(t, "NV")},
		}
		bsc, err := x509.CreateCertificate(rand.Reader, signer, template, w.key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		w.put("csca.der", w.csca)
		text := w.sign(vaccination, bsc)
		if v := vdsnc.Verify([]byte(text), w.snapshot(), at); v.Outcome != cert.Valid {
			t.Errorf("%s: %s %s", algorithm, v.Outcome, v.Reason)
		}
		damaged := bytes.Clone(bsc)
		damaged[len(damaged)-1] ^= 1
		if v := vdsnc.Verify([]byte(w.sign(vaccination, damaged)), w.snapshot(), at); v.Outcome != cert.UntrustedIssuer {
			t.Errorf("%s, damaged: %s", algorithm, v.Outcome)
		}
	}
}

// TestSpecimenCertificates: what NewCSCA and NewBSC make, another library reads; the same
// call makes the same certificate.
func TestSpecimenCertificates(t *testing.T) {
	w, again := newWorld(t), newWorld(t)
	if !bytes.Equal(w.csca, again.csca) || !bytes.Equal(w.bsc, again.bsc) {
		t.Error("the same call made another certificate")
	}
	csca, err1 := x509.ParseCertificate(w.csca)
	bsc, err2 := x509.ParseCertificate(w.bsc)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := bsc.CheckSignatureFrom(csca); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(bsc.AuthorityKeyId, csca.SubjectKeyId) || csca.Issuer.Country[0] != "JP" || !csca.IsCA || bsc.IsCA || csca.SerialNumber.Cmp(bsc.SerialNumber) == 0 {
		t.Error("the two do not belong together")
	}
	if len(bsc.UnhandledCriticalExtensions) != 0 || len(bsc.UnknownExtKeyUsage) != 1 {
		t.Errorf("critical %v, usage %v", bsc.UnhandledCriticalExtensions, bsc.UnknownExtKeyUsage)
	}
	usage, err := vdsnc.ReadBSC(w.bsc)
	if err != nil || !usage.From.Equal(term.From) || !usage.Until.Equal(term.UsageUntil) || !usage.Expires.Equal(term.Until) || usage.Country != "JP" {
		t.Errorf("%+v, %v", usage, err)
	}
	if _, err := vdsnc.ReadBSC(w.csca); err == nil {
		t.Error("an authority is read as a signer")
	}
	der, err := vdsnc.Request(w.key, vdsnc.Name{Country: "JP", Common: "Test Health"})
	if err != nil {
		t.Fatal(err)
	}
	if request, err := x509.ParseCertificateRequest(der); err != nil || request.CheckSignature() != nil || !w.key.PublicKey.Equal(request.PublicKey.(*ecdsa.PublicKey)) {
		t.Errorf("request: %v", err)
	}
}

func TestSpecimenCertificatesRefuse(t *testing.T) {
	w := newWorld(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	name := vdsnc.Name{Country: "JP"}
	for text, c := range map[string]struct {
		key  crypto.PublicKey
		csca []byte
		term vdsnc.Term
	}{
		"RSA signer":           {weak.Public(), w.csca, term},
		"no authority":         {w.key.Public(), nil, term},
		"ends first":           {w.key.Public(), w.csca, vdsnc.Term{From: at, Until: at}},
		"usage beyond the end": {w.key.Public(), w.csca, vdsnc.Term{From: at, UsageUntil: at.Add(2 * time.Hour), Until: at.Add(time.Hour)}},
	} {
		if _, err := vdsnc.NewBSC(c.csca, w.authority, c.key, name, c.term); err == nil {
			t.Errorf("%s: made", text)
		}
	}
}
