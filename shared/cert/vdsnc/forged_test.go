package vdsnc_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
)

// TestNamedAuthority: a signer names its authority by key; one that names none is found by
// name.
func TestNamedAuthority(t *testing.T) {
	w := newWorld(t)
	snap := w.snapshot()
	for _, c := range []struct {
		name    string
		change  func(parent *x509.Certificate)
		outcome cert.Outcome
	}{
		{"by key, the name written otherwise", func(p *x509.Certificate) {
			p.RawSubject, p.Subject = nil, pkix.Name{Country: []string{"JP"}, CommonName: "TEST CSCA"}
		}, cert.Valid},
		{"by name", func(p *x509.Certificate) { p.SubjectKeyId = nil }, cert.Valid},
		{"by neither", func(p *x509.Certificate) {
			p.SubjectKeyId, p.RawSubject, p.Subject = nil, nil, pkix.Name{Country: []string{"JP"}, CommonName: "TEST CSCA"}
		}, cert.UnknownKey},
		{"by neither, of another country", func(p *x509.Certificate) {
			p.SubjectKeyId, p.RawSubject, p.Subject = nil, nil, pkix.Name{Country: []string{"NZ"}}
		}, cert.UntrustedIssuer},
	} {
		parent, err := x509.ParseCertificate(w.csca)
		if err != nil {
			t.Fatal(err)
		}
		c.change(parent)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(5), NotBefore: term.From, NotAfter: term.Until,
			ExtraExtensions: []pkix.Extension{signerUsage("2.23.136.1.1.14.2"), documentTypes(t, "NV")},
		}
		bsc, err := x509.CreateCertificate(nil, template, parent, w.key.Public(), w.authority)
		if err != nil {
			t.Fatal(err)
		}
		if v := vdsnc.Verify([]byte(w.sign(vaccination, bsc)), snap, at); v.Outcome != c.outcome {
			t.Errorf("%s: %s %s", c.name, v.Outcome, v.Reason)
		}
	}
}

// TestForgedForms: certificates that two readers could read in two ways are none.
func TestForgedForms(t *testing.T) {
	w := newWorld(t)
	snap := w.snapshot()
	twice := w.forge(func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, documentTypes(t, "NT")) })
	// The outer name of the signature's algorithm says SHA-256 where the inner says SHA-384.
	sha384 := []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3}
	two := bytes.Clone(w.bsc)
	two[bytes.LastIndex(two, sha384)+len(sha384)-1] = 2
	for name, bsc := range map[string][]byte{"an extension twice": twice, "two algorithms": two} {
		if v := vdsnc.Verify([]byte(w.sign(vaccination, bsc)), snap, at); v.Outcome != cert.Malformed {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
	// SHA-1 is not read: neither trusted nor called forged.
	sha1 := bytes.ReplaceAll(w.bsc, sha384, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 9})
	if v := vdsnc.Verify([]byte(w.sign(vaccination, sha1)), snap, at); v.Outcome != cert.Unsupported {
		t.Errorf("another hash: %s %s", v.Outcome, v.Reason)
	}
}

// TestNoAnchors: certificates that may not stand in a layout are left out and told.
func TestNoAnchors(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong := testKey(t, elliptic.P384(), 11)
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		change func(*x509.Certificate)
		notes  int
	}{
		{"an authority", strong, func(*x509.Certificate) {}, 0},
		{"that signs lists alone", strong, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, 1},
		{"with something critical", strong, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 0}}}
		}, 1},
		{"with a short RSA key", weak, func(*x509.Certificate) {}, 1},
	} {
		w := newWorld(t)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}}, NotBefore: term.From, NotAfter: term.Until,
			KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		}
		c.change(template)
		der, err := x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key)
		if err != nil {
			t.Fatal(err)
		}
		w.put("csca.der", der)
		if notes := w.snapshot().Notes(); len(notes) != c.notes {
			t.Errorf("%s: notes %v", c.name, notes)
		}
	}
}

// TestNoLists: lists of a part alone, and lists without end, are none.
func TestNoLists(t *testing.T) {
	w := newWorld(t)
	parent, err := x509.ParseCertificate(w.csca)
	if err != nil {
		t.Fatal(err)
	}
	delta := &x509.RevocationList{
		Number: big.NewInt(2), ThisUpdate: at, NextUpdate: at.AddDate(0, 1, 0),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}},
	}
	part, err := x509.CreateRevocationList(nil, delta, parent, w.authority)
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string][]byte{"a part": part, "without end": w.endless(parent)} {
		w.put("csca.crl", list)
		if notes := w.snapshot().Notes(); len(notes) != 1 {
			t.Errorf("%s: notes %v", name, notes)
		}
	}
}

// TestListSigner: an authority whose key may not sign lists has none.
func TestListSigner(t *testing.T) {
	w := newWorld(t)
	parent, err := x509.ParseCertificate(w.csca)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: parent.Subject, SubjectKeyId: parent.SubjectKeyId, NotBefore: term.From, NotAfter: term.Until,
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(nil, template, template, w.authority.Public(), w.authority)
	if err != nil {
		t.Fatal(err)
	}
	w.put("csca.der", der)
	w.put("csca.crl", w.crl(at.Add(-time.Hour), at.Add(time.Hour), w.serial()))
	snap := w.snapshot()
	if v := vdsnc.Verify([]byte(w.sign(vaccination, w.bsc)), snap, at); v.Outcome != cert.Valid || len(snap.Notes()) != 1 {
		t.Errorf("%s %s, notes %v", v.Outcome, v.Reason, snap.Notes())
	}
}

// endless makes a list that the authority signed and that names no next one.
func (w *world) endless(parent *x509.Certificate) []byte {
	w.t.Helper()
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}}
	content, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		From      time.Time
	}{1, algorithm, asn1.RawValue{FullBytes: parent.RawSubject}, at})
	if err != nil {
		w.t.Fatal(err)
	}
	digest := sha512.Sum384(content)
	signature, err := ecdsa.SignASN1(rand.Reader, w.authority, digest[:])
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := asn1.Marshal(struct {
		Content   asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: content}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := x509.ParseRevocationList(list); err != nil {
		w.t.Fatal(err)
	}
	return list
}
