package hcert

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/cose"
	"madoguchi.example/shared/trust"
)

// keyIDSize is the length of a key id: the first bytes of SHA-256 over the certificate
// (hcert_spec section 3.3.2).
const keyIDSize = 8

// KeyID gives a signer certificate's key id, as base64 of its 8 bytes.
func KeyID(dsc []byte) string {
	id := keyIDOf(dsc)
	return base64.StdEncoding.EncodeToString(id[:])
}

func keyIDOf(der []byte) (id [keyIDSize]byte) {
	sum := sha256.Sum256(der)
	copy(id[:], sum[:])
	return id
}

// signer is a document signer certificate (DSC) of the trust layout.
type signer struct {
	der      []byte
	key      crypto.PublicKey
	usage    usage
	from, to time.Time // of the certificate: a remark at most
}

// usage is the set of contents that a certificate may sign; none named means all.
type usage uint8

const (
	forTests usage = 1 << iota
	forVaccinations
	forRecoveries
	forAll = forTests | forVaccinations | forRecoveries
)

// Extended key usages are 1.3.6.1.4.1.[0.]1847.2021.1.{1,2,3}: real certificates have both
// spellings.
var (
	usagePlain = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1}
	usageZero  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1}
)

var usages = [...]usage{1: forTests, 2: forVaccinations, 3: forRecoveries}

var oidExtendedUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// usageOf gives what a certificate's extended key usage lets it sign: all where it names
// none of the contents, as real signers' have usages of other protocols beside. Where that
// extension is critical, its key is for what it names alone (RFC 5280 section 4.2.1.12): a
// signer of another kind of barcode signs none of these.
func usageOf(c *x509.Certificate) usage {
	var u usage
	for _, oid := range c.UnknownExtKeyUsage {
		last := len(oid) - 1
		if last < 0 || (!oid[:last].Equal(usagePlain) && !oid[:last].Equal(usageZero)) {
			continue
		}
		if n := oid[last]; n > 0 && n < len(usages) {
			u |= usages[n]
		}
	}
	if u == 0 && (slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) || !criticalUsage(c)) {
		return forAll
	}
	return u
}

func criticalUsage(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id.Equal(oidExtendedUsage) })
}

// needed gives the usage that a content wants of its signer.
func needed(c cert.Content) usage {
	switch c {
	case cert.Test:
		return forTests
	case cert.Recovery:
		return forRecoveries
	}
	return forVaccinations
}

// anchors is what a trust layout holds for this format. It never changes once loaded.
type anchors struct {
	signers map[string][]*signer // by key id
	count   int
	revoked revocations
}

func loadAnchors(f *trust.Folder) (*anchors, error) {
	a := &anchors{signers: map[string][]*signer{}}
	for _, name := range f.Names(".pem", ".der", ".cer", ".crt") {
		text, err := f.Read(name, MaxSignerFile)
		if err != nil {
			f.Note(name, err)
			continue
		}
		a.readSigners(f, name, text)
	}
	for _, name := range f.Names(RevocationFile) {
		if name == RevocationFile {
			a.revoked = loadRevocations(f)
		}
	}
	return a, nil
}

// readSigners takes the certificates of one file. One that cannot be used is noted and
// left out.
func (a *anchors) readSigners(f *trust.Folder, name string, text []byte) {
	ders, whole := certificatesOf(text)
	if !whole {
		f.Note(name, errors.New("no certificate in it, or one that is not PEM throughout"))
	}
	for i, der := range ders {
		if err := a.add(der); err != nil {
			f.Note(fmt.Sprintf("%s certificate %d", name, i+1), err)
		}
	}
}

var (
	pemBegin  = []byte("-----BEGIN ")
	pemSigner = []byte("-----BEGIN CERTIFICATE-----")
)

// certificatesOf takes a file apart, whose content tells whether it is PEM or DER, and tells
// whether that was all of it.
func certificatesOf(text []byte) (ders [][]byte, whole bool) {
	if !bytes.Contains(text, pemBegin) {
		return [][]byte{text}, true
	}
	signers := bytes.Count(text, pemSigner)
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return ders, len(ders) > 0 && len(ders) == signers
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
}

// oidPSS marks an RSA key that is for PSS alone (RFC 4055 section 1.2), which the library
// does not read.
var oidPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

func publicKeyOf(c *x509.Certificate) crypto.PublicKey {
	if c.PublicKey != nil {
		return c.PublicKey
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	if err != nil || len(rest) != 0 || !info.Algorithm.Algorithm.Equal(oidPSS) {
		return nil
	}
	key, err := x509.ParsePKCS1PublicKey(info.Key.RightAlign())
	if err != nil {
		return nil
	}
	return key
}

func (a *anchors) add(der []byte) error {
	if a.count >= MaxSigners {
		return fmt.Errorf("more than %d certificates", MaxSigners)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("not a certificate that can be read: %w", err)
	}
	key := publicKeyOf(c)
	if !cose.Usable(key) {
		return fmt.Errorf("its key is neither on P-256 nor RSA of %d to %d bits", cose.MinRSA, cose.MaxRSA)
	}
	id := keyIDOf(der)
	for _, known := range a.signers[string(id[:])] {
		if bytes.Equal(known.der, der) {
			return nil
		}
	}
	a.count++
	a.signers[string(id[:])] = append(a.signers[string(id[:])],
		&signer{der: der, key: key, usage: usageOf(c), from: c.NotBefore, to: c.NotAfter})
	return nil
}
