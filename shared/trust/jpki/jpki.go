// Package jpki promises what a terminal may say, without a network, of the certificates of
// 公的個人認証 (JPKI) on My Number Cards: whether a pinned root vouches for one, and whether
// both hold at a given time.
//
// It never says that a certificate was not revoked: JPKI's lists are open to accredited
// verifiers alone. The roots come with the trust layout, folder jpki.
package jpki

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/shared/trust"
)

// Section is JPKI's part of a trust layout: the folder jpki with roots (*.pem, *.der). A
// file that cannot be read, or a root that cannot be used, is left out and noted.
var Section = trust.Section{Name: "jpki", Load: func(f *trust.Folder) (any, error) { return load(f), nil }}

// Limits.
const (
	MaxRootFile    = 64 << 10 // bytes of one file
	MaxRoots       = 64       // of one layout
	MaxCertificate = 8 << 10  // bytes of a card's certificate
	keyBits        = 2048     // of every key of JPKI
)

// Roots are the authorities that are believed. They never change; nil believes nobody.
type Roots struct{ all []*x509.Certificate }

// From gives the roots of a snapshot; nil where it was loaded without this section.
func From(s trust.Snapshot) *Roots {
	r, _ := s.Section(Section.Name).(*Roots)
	return r
}

// Len gives the number of roots.
func (r *Roots) Len() int {
	if r == nil {
		return 0
	}
	return len(r.all)
}

// HoldAt tells whether any root holds at a time.
func (r *Roots) HoldAt(at time.Time) bool {
	return r.Len() > 0 && slices.ContainsFunc(r.all, func(c *x509.Certificate) bool { return holds(c, at) })
}

func holds(c *x509.Certificate, at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// Parse reads roots in PEM or one in DER, strictly: any that cannot be used is an error.
func Parse(text []byte) (*Roots, error) {
	r := &Roots{}
	ders, err := certificatesOf(text)
	if err != nil {
		return nil, err
	}
	for _, der := range ders {
		if err := r.add(der); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func load(f *trust.Folder) *Roots {
	r := &Roots{}
	for _, name := range f.Names(".pem", ".der", ".cer", ".crt") {
		text, err := f.Read(name, MaxRootFile)
		if err != nil {
			f.Note(name, err)
			continue
		}
		ders, err := certificatesOf(text)
		if err != nil {
			f.Note(name, err)
		}
		for i, der := range ders {
			if err := r.add(der); err != nil {
				f.Note(fmt.Sprintf("%s certificate %d", name, i+1), err)
			}
		}
	}
	return r
}

// certificatesOf takes a file apart, whose content tells whether it is PEM or DER.
func certificatesOf(text []byte) ([][]byte, error) {
	if len(text) > MaxRootFile {
		return nil, fmt.Errorf("larger than %d bytes", MaxRootFile)
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return [][]byte{text}, nil
	}
	var ders [][]byte
	begun := bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----"))
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 || len(ders) != begun {
		return ders, errors.New("no certificate in it, or one that is not PEM throughout")
	}
	return ders, nil
}

// add takes a root: self-signed, an authority, RSA-2048 with SHA-256. Its dates are judged
// when it is used.
func (r *Roots) add(der []byte) error {
	c, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return fmt.Errorf("not a certificate that can be read: %w", err)
	case !bytes.Equal(c.RawSubject, c.RawIssuer) || !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("not a root that may sign certificates")
	case !ofJPKI(c):
		return fmt.Errorf("not RSA of %d bits with SHA-256", keyBits)
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		return fmt.Errorf("not signed by itself: %w", err)
	}
	for _, known := range r.all {
		if known.Equal(c) {
			return nil
		}
	}
	if len(r.all) == MaxRoots {
		return fmt.Errorf("more than %d roots", MaxRoots)
	}
	r.all = append(r.all, c)
	return nil
}

// ofJPKI tells whether key and signature are of the one kind that JPKI uses.
func ofJPKI(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() == keyBits && c.SignatureAlgorithm == x509.SHA256WithRSA
}

// Outcome is what is known of a card's certificate.
type Outcome string

// The outcomes.
const (
	Good        Outcome = "good"          // a root that holds vouches for it, and it holds
	Expired     Outcome = "expired"       // a root vouches for it, and it has ended
	NotYetValid Outcome = "not_yet_valid" // a root vouches for it, and it has not begun: look at the clock
	RootExpired Outcome = "root_expired"  // it would hold, but the root that vouches for it has ended, or not begun
	Untrusted   Outcome = "untrusted"     // no root vouches for it
	Malformed   Outcome = "malformed"     // it is not a certificate of a card
)

// Verdict is what is known of a card's certificate. Reason is for people and names nobody.
type Verdict struct {
	Outcome           Outcome
	Reason            string
	NotBefore, Expiry time.Time
	Public            *rsa.PublicKey // nil when malformed
}

// Judge judges the certificate for authentication of a card, as DER, at a time.
func (r *Roots) Judge(der []byte, at time.Time) Verdict {
	c, reason := readLeaf(der)
	if c == nil {
		return Verdict{Outcome: Malformed, Reason: reason}
	}
	v := Verdict{NotBefore: c.NotBefore, Expiry: c.NotAfter, Public: c.PublicKey.(*rsa.PublicKey)}
	vouching, held := r.vouching(c, at)
	switch {
	case !vouching:
		v.Outcome, v.Reason = Untrusted, "no root that is known vouches for it"
	case at.After(c.NotAfter):
		v.Outcome, v.Reason = Expired, "it ended on "+c.NotAfter.UTC().Format(time.DateOnly)
	case at.Before(c.NotBefore):
		v.Outcome, v.Reason = NotYetValid, "it begins on "+c.NotBefore.UTC().Format(time.DateOnly)
	case !held:
		v.Outcome, v.Reason = RootExpired, "the root that vouches for it does not hold at this time"
	default:
		v.Outcome = Good
	}
	return v
}

// readLeaf reads what may be a card's certificate for authentication.
func readLeaf(der []byte) (c *x509.Certificate, reason string) {
	if len(der) > MaxCertificate {
		return nil, fmt.Sprintf("larger than %d bytes", MaxCertificate)
	}
	c, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, "not a certificate that can be read"
	case !ofJPKI(c):
		return nil, fmt.Sprintf("not RSA of %d bits with SHA-256", keyBits)
	case c.IsCA || c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, "not a certificate whose key may sign a challenge"
	case len(c.UnhandledCriticalExtensions) > 0:
		return nil, "it has a critical extension that is not known"
	}
	return c, ""
}

// vouching tells whether any root signed c, and whether any that did holds at the time.
func (r *Roots) vouching(c *x509.Certificate, at time.Time) (known, held bool) {
	if r == nil {
		return false, false
	}
	for _, root := range r.all {
		switch {
		case !bytes.Equal(root.RawSubject, c.RawIssuer):
		case c.AuthorityKeyId != nil && root.SubjectKeyId != nil && !bytes.Equal(c.AuthorityKeyId, root.SubjectKeyId):
		case c.CheckSignatureFrom(root) != nil:
		default:
			known = true
			held = held || holds(root, at)
		}
	}
	return known, held
}
