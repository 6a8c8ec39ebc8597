package vdsnc

import (
	"bytes"
	"crypto/sha1" // RFC 5280's name for a key, not a protection
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"madoguchi.example/shared/trust"
)

// anchors are the pinned authorities and signers of a trust layout. They never change; the
// chains found are remembered beside them. Safe for concurrent use.
type anchors struct {
	authorities []*authority
	pinned      map[[sha256.Size]byte]bool // signers' certificates by hash

	mu     sync.RWMutex
	chains map[string]*chain // by the signer's certificate as documents carry it
}

// authority is one pinned CSCA certificate with its newest revocation list, if there is one.
type authority struct {
	*certificate
	list *revocationList
}

// chain is a signer with what vouches for it.
type chain struct {
	signer      *certificate
	pinned      bool         // the signer itself is in the trust layout
	authorities []*authority // those whose key signed the signer
}

func loadAnchors(f *trust.Folder) (*anchors, error) {
	a := &anchors{pinned: map[[sha256.Size]byte]bool{}, chains: map[string]*chain{}}
	for _, name := range f.Names(".der", ".pem", ".cer", ".crt") {
		text, err := f.Read(name, MaxTrustFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		blocks, err := derBlocks(text, "CERTIFICATE")
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		for _, der := range blocks {
			if err := a.add(der); err != nil {
				f.Note(name, err)
			}
		}
	}
	for _, name := range f.Names(".crl") {
		text, err := f.Read(name, MaxCRL)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		blocks, err := derBlocks(text, "X509 CRL")
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		for _, der := range blocks {
			if err := a.addList(der); err != nil {
				f.Note(name, err)
			}
		}
	}
	return a, nil
}

// derBlocks gives the DER of a file: the blocks of that kind in PEM text, of which there is
// at least one, or the file itself.
func derBlocks(text []byte, kind string) ([][]byte, error) {
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return [][]byte{text}, nil
	}
	var out [][]byte
	whole := text
	for {
		block, rest := pem.Decode(text)
		switch {
		case block == nil && len(out) == 0:
			return nil, errors.New("no block in it that can be read")
		case block == nil && len(out) < bytes.Count(whole, []byte("-----BEGIN "+kind+"-----")):
			return nil, errors.New("a block in it that cannot be read")
		case block == nil:
			return out, nil
		case block.Type == kind:
			out = append(out, block.Bytes)
		}
		text = rest
	}
}

// add pins an authority's certificate, or a signer's.
func (a *anchors) add(der []byte) error {
	c, err := readCertificate(der)
	switch {
	case err != nil:
		return err
	case !c.authority:
		a.pinned[sha256.Sum256(der)] = true
		return nil
	case !c.mayUse(bitCertificateSign):
		return errors.New("an authority whose key may not sign certificates")
	case c.unknownCritical:
		return errors.New("an authority with a critical extension that is not known")
	}
	if c.subjectKey == nil {
		c.subjectKey = keyHash(der)
	}
	a.authorities = append(a.authorities, &authority{certificate: c})
	return nil
}

// keyHash names a key as RFC 5280 section 4.2.1.2 (1) does, for authorities that do not
// say their own name for it.
func keyHash(der []byte) []byte {
	var a certificateASN1
	if _, err := unmarshalWhole(der, &a); err != nil {
		return nil
	}
	sum := sha1.Sum(a.Content.Key.Key.Bytes)
	return sum[:]
}

// remembered gives the chain of a signer that was verified before.
func (a *anchors) remembered(signer string) *chain {
	if a == nil {
		return nil
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.chains[signer]
}

// remember keeps a verified chain. Only chains that lead to an anchor are kept, so nobody
// can fill the memory with signers of their own. When it is full, any one goes.
func (a *anchors) remember(signer string, c *chain) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.chains) >= maxChains {
		for old := range a.chains {
			delete(a.chains, old)
			break
		}
	}
	// The text is a part of a document: a copy of it, so that the document is not kept.
	a.chains[strings.Clone(signer)] = c
}

var (
	errUntrusted = errors.New("no authority of the signer's country is on the trust list")
	errUnknown   = errors.New("the trust list has no such key of the signer's country")
	errUnsigned  = errors.New("the authority that the signer names did not sign it")
)

// chainOf finds what vouches for a signer, whose certificate is der. A signer that is pinned
// itself needs no authority, but one that is known can revoke it.
func (a *anchors) chainOf(signer *certificate, der []byte) (*chain, error) {
	if a == nil {
		return nil, errUntrusted
	}
	c := &chain{signer: signer, pinned: a.pinned[sha256.Sum256(der)]}
	fault := errUntrusted
	for _, x := range a.authorities {
		if !x.named(signer) {
			if fault == errUntrusted && x.country != "" && x.country == signer.issuerCountry {
				fault = errUnknown
			}
			continue
		}
		switch err := signer.verify(x.public); {
		case err == nil:
			c.authorities = append(c.authorities, x)
		case errors.Is(err, errSignatureAlgorithm):
			fault = err
		default:
			fault = errUnsigned
		}
	}
	if len(c.authorities) == 0 && !c.pinned {
		return nil, fault
	}
	return c, nil
}

// named tells whether a signer names this authority as its issuer: by key where it names
// one (Doc 9303-12 table 6 wants it), else by name.
func (x *authority) named(signer *certificate) bool {
	if signer.authorityKey != nil {
		return bytes.Equal(signer.authorityKey, x.subjectKey)
	}
	return signer.issuer == x.subject
}

// countries gives those that the chain may sign for.
func (c *chain) countries() []string {
	if len(c.authorities) == 0 {
		return []string{c.signer.country}
	}
	out := make([]string, 0, len(c.authorities))
	for _, x := range c.authorities {
		if !slices.Contains(out, x.country) {
			out = append(out, x.country)
		}
	}
	return out
}
