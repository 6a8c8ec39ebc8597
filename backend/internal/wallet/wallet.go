// Package wallet hands certificates to wallet apps by OpenID for Verifiable Credential
// Issuance 1.0: issuer and authorization server in one.
//
// It promises: only the citizen gives a copy away, by an offer of their own app or by a yes
// on the consent page; every code, nonce and proof works once, however many requests come
// at the same time; a copy is bound to a key whose holder has proved to have it, and has a
// status index of its own, so that revoking the certificate revokes it; what is kept of
// codes, tokens and nonces cannot be used in their place; no answer repeats what a wallet
// sent; and a browser is led to registered addresses alone.
//
// Neither request nor response encryption is offered, no client is authenticated (wallets
// are public clients), and there is no deferred issuance.
package wallet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Lifetimes.
const (
	OfferLifetime  = 5 * time.Minute  // of an offer on the citizen's phone
	CodeLifetime   = time.Minute      // of an authorization code
	TokenLifetime  = 10 * time.Minute // of an access token
	NonceLifetime  = 5 * time.Minute  // of a c_nonce
	PushedLifetime = time.Minute      // of a pushed authorization request (RFC 9126)
	VisitLifetime  = 15 * time.Minute // from the wallet's request to the citizen's answer
	ProofAge       = 5 * time.Minute  // how old a key proof may be
	ProofAhead     = 30 * time.Second // how far a wallet's clock may be ahead of ours
)

// Limits.
const (
	MaxTries     = 5       // transaction codes that may be tried on one offer
	MaxBatch     = 5       // key proofs of one credential request
	MaxCopies    = 10      // copies that one access token fetches
	MaxValue     = 1024    // bytes of one parameter of a form or a query
	MaxDetails   = 4 << 10 // bytes of authorization_details
	MaxProof     = 4 << 10 // bytes of one key proof
	MaxRequest   = 32 << 10
	secretBytes  = 32 // of every code, token and browser secret
	txCodeDigits = 6
)

// The paths of the endpoints, below the issuer's URL.
const (
	TokenPath      = "/wallet/token"
	NoncePath      = "/wallet/nonce"
	CredentialPath = "/wallet/credential"
	PushPath       = "/wallet/par"
	AuthorizePath  = "/wallet/authorize"
	CallbackPath   = "/wallet/callback"
	ConsentPath    = "/wallet/consent"
)

// Held is a certificate that the citizen may see: their own, or a child's for whom they act.
type Held struct {
	ID       string
	Person   identity.CitizenID
	Name     string
	Overseas bool // it bears the Latin name
	IssuedAt time.Time
	Doses    int
	Good     bool // neither superseded nor revoked
}

// LogValue shows the handle alone.
func (h Held) LogValue() slog.Value { return slog.StringValue(h.ID) }

// String shows the handle alone.
func (h Held) String() string { return h.ID }

// Certificates are what the citizen may give away.
type Certificates interface {
	// Held lists the certificates of the citizen and of the children they act for, newest first.
	Held(ctx context.Context, who actor.Citizen, purpose audit.Purpose) ([]Held, error)
	// ForWallet gives what a copy of the certificate states, and a status index that no
	// other copy has. A certificate of another, none, a superseded and a revoked one are
	// faults.
	ForWallet(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, certificateID string) (cert.Certificate, int64, error)
	// AddWalletCopy records a copy, so that it is revoked with its certificate.
	AddWalletCopy(ctx context.Context, t tx.Tx, of identity.CitizenID, certificateID, keyID string, statusIndex int64) error
}

// Keeper makes calls repeatable. *idempotency.Keeper implements it.
type Keeper interface {
	Replay(ctx context.Context, t tx.Tx, c idempotency.Call) (response []byte, found bool, err error)
	Keep(ctx context.Context, t tx.Tx, c idempotency.Call, response []byte) error
}

// Record writes the access record. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// SignIn finds out who sits at the browser. *authn.Once implements it.
type SignIn interface {
	// Start gives where to send the browser, for the one that holds the secret.
	Start(ctx context.Context, secret string) (authorizationURL string, err error)
	Finish(ctx context.Context, code, state, secret string) (actor.Citizen, error)
	// Abandon ends a sign-in that the provider ended without a code.
	Abandon(ctx context.Context, state, secret string) error
}

// Deps are what a Desk needs; all are required but Clients.
type Deps struct {
	Runner       tx.Runner
	Rows         Rows
	Certificates Certificates
	Signers      keyring.Signers // asked outside of transactions
	// Place gives the status list of a status index, and the place in it.
	Place   func(index int64) (uri string, place int64)
	SignIn  SignIn
	Keeper  Keeper
	Record  Record
	Clients []Client
	Issuer  string // public_url, the credential issuer identifier
	Secret  []byte // at least 32 bytes; codes of offers and nonces are made from it
	IDs     handle.Source
	Now     func() time.Time
	Rand    io.Reader
}

// Desk hands out certificates. It is safe for concurrent use.
type Desk struct {
	Deps
	clients map[string]Client
	pages   pages
}

// New makes a Desk. It fails when a client's entry is not safe to use.
func New(d Deps) (*Desk, error) {
	if len(d.Secret) < sha256.Size {
		return nil, fmt.Errorf("cannot serve wallets: the secret is shorter than %d bytes", sha256.Size)
	}
	clients, err := register(d.Clients)
	if err != nil {
		return nil, err
	}
	x := &Desk{Deps: d, clients: clients}
	x.pages, err = x.metadata()
	return x, err
}

// mark is a MAC of ours over words, for one use.
func (d *Desk) mark(use string, words ...string) []byte {
	m := hmac.New(sha256.New, d.Secret)
	fmt.Fprintf(m, "wallet\x00%s", use)
	for _, w := range words {
		fmt.Fprintf(m, "\x00%d\x00%s", len(w), w)
	}
	return m.Sum(nil)
}

// secret makes a code, a token or a browser's secret.
func (d *Desk) secret() (string, error) {
	var b [secretBytes]byte
	if _, err := io.ReadFull(d.Rand, b[:]); err != nil {
		return "", fmt.Errorf("cannot read random bytes for a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

func hashOf(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
