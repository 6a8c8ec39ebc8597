// Package publication makes what the world and the terminals read in order to check
// certificates: key sets, signers' certificates, revocation lists, status lists, and the
// terminals' trust bundle.
//
// It promises: no document holds a private part, a withdrawn key or a specimen's signer;
// a document is at most Staleness old; a key set and the lists beside it tell of one
// moment; and the same content has the same version.
package publication

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/fault"
)

// Staleness is how long after a change the documents of one process may still be the old.
const Staleness = 5 * time.Second

// Skew is how much the clocks of the backends of one cell may differ: one that is late has a
// key sign that much earlier than a cache lifetime after the others showed it.
const Skew = 25 * time.Second

// MaxKeyAge is the longest that others may keep a document of keys alone: a withdrawn key
// is gone from their caches a day later, however long before its use a key is published.
const MaxKeyAge = 24 * time.Hour

// RevocationAge is how long others may keep a document that tells of revocations.
const RevocationAge = 5 * time.Minute

// Revoked is one entry of a revocation list.
type Revoked struct {
	Use keyring.Use
	// KeyID names the key that signed.
	KeyID string
	// Token names the document within its format: the rid of a card, the first 16 bytes of
	// the SHA-256 of an HC1 document's id in hexadecimal, the index of an SD-JWT VC in the
	// status lists in decimal (see StatusPlace).
	Token string
	At    time.Time
}

// Revocations is what was revoked. store/issuance implements it.
type Revocations interface {
	// List gives everything revoked that the key signed, and the version of the list: 1 and
	// one more for each change. The two belong together, as of one moment.
	List(ctx context.Context, use keyring.Use, keyID string) ([]Revoked, int64, error)
	// ListVersion gives the version alone.
	ListVersion(ctx context.Context, use keyring.Use, keyID string) (int64, error)
}

// Keys says which keys there are and who signs. *keyring.Ring implements it.
type Keys interface {
	Published(ctx context.Context, use keyring.Use, at time.Time) ([]keyring.Key, error)
	keyring.Signers
}

// Deps are what a Press works with; all but TrustDir are needed.
type Deps struct {
	Keys        Keys
	Revocations Revocations
	// Issuer is public_url: the iss of cards and of credentials.
	Issuer string
	// CacheLifetime is how long after its publication a key is used: others may keep a
	// document of keys that long, Staleness and Skew included.
	CacheLifetime time.Duration
	// TrustDir is the operator's folder in the layout of --trust; empty: none.
	TrustDir string
	Now      func() time.Time
	Log      *slog.Logger
}

// Press makes the documents. It is safe for concurrent use.
type Press struct {
	Deps

	mu      sync.Mutex
	last    *edition
	foreign foreign
	bundle  bundle
	status  map[int64]statusList
}

// New makes a Press, and reads the operator's folder: its faults name the files.
func New(d Deps) (*Press, error) {
	p := &Press{Deps: d, status: map[int64]statusList{}}
	f, err := p.readForeign()
	if err != nil {
		return nil, err
	}
	p.foreign = f
	return p, nil
}

// KeyAge is how long others may keep a document that tells of keys alone: a new key signs
// only after every copy without it has run out.
func (p *Press) KeyAge() time.Duration {
	return min(max(p.CacheLifetime-Staleness-Skew, 0), MaxKeyAge)
}

// edition gives the documents as they are, at most Staleness old.
func (p *Press) edition(ctx context.Context) (*edition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current(ctx)
}

// current is edition for a caller that holds mu.
func (p *Press) current(ctx context.Context) (*edition, error) {
	now := p.Now()
	if p.last != nil && !now.Before(p.last.at) && now.Sub(p.last.at) < Staleness {
		return p.last, nil
	}
	e, err := p.gather(ctx, now)
	if err != nil {
		return nil, err
	}
	if p.last != nil && p.last.content == e.content {
		p.last.at = now
		return p.last, nil
	}
	if err := e.write(p.Issuer); err != nil {
		return nil, err
	}
	p.last = e
	return e, nil
}

// JWKS gives the key set of the card issuer, each key with the version of its list.
func (p *Press) JWKS(ctx context.Context) (doc []byte, version string, err error) {
	return p.document(ctx, func(e *edition) (document, bool) { return e.jwks, true })
}

// CRL gives the list of revoked cards of a published key; NotFound for any other.
func (p *Press) CRL(ctx context.Context, kid string) ([]byte, string, error) {
	return p.document(ctx, func(e *edition) (document, bool) { d, ok := e.crls[kid]; return d, ok })
}

// VCIssuer gives the issuer metadata of SD-JWT VC with its key set.
func (p *Press) VCIssuer(ctx context.Context) ([]byte, string, error) {
	return p.document(ctx, func(e *edition) (document, bool) { return e.vcIssuer, true })
}

// Revocations gives the list of revoked HC1 documents.
func (p *Press) Revocations(ctx context.Context) ([]byte, string, error) {
	return p.document(ctx, func(e *edition) (document, bool) { return e.hcertRevoked, true })
}

// Signers gives the certificates of hcert or vdsnc as PEM, newest first. Specimens are not
// among them; NotFound for another use.
func (p *Press) Signers(ctx context.Context, use keyring.Use) ([]byte, string, error) {
	return p.document(ctx, func(e *edition) (document, bool) { d, ok := e.signers[use]; return d, ok })
}

func (p *Press) document(ctx context.Context, pick func(*edition) (document, bool)) ([]byte, string, error) {
	e, err := p.edition(ctx)
	if err != nil {
		return nil, "", err
	}
	d, ok := pick(e)
	if !ok {
		return nil, "", fault.New(fault.NotFound, "nothing is published under this name")
	}
	return d.text, d.version, nil
}
