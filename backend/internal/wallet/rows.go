package wallet

import (
	"context"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Kind says how a grant came to be.
type Kind string

// The kinds.
const (
	Offered   Kind = "offered"   // by the citizen's app: its code is the pre-authorized code
	Consented Kind = "consented" // on the consent page: its code is an authorization code
)

// Grant is what a citizen allowed: that whoever brings the code fetches copies of one
// certificate.
type Grant struct {
	Hash         []byte // SHA-256 of the code
	ID           string // "wgr_…"
	Kind         Kind
	Citizen      identity.CitizenID // who allowed it
	Municipality identity.MunicipalityCode
	Person       identity.CitizenID // whom the certificate is about
	Certificate  string
	Client       string // of a Consented one
	RedirectURI  string // of a Consented one
	Challenge    string // of a Consented one: PKCE S256
	Detailed     bool   // authorization_details were used
	Key          string // thumbprint of the DPoP key that the wallet announced, or ""
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// LogValue shows the handle alone.
func (g Grant) LogValue() slog.Value { return slog.StringValue(g.ID) }

// String shows the handle alone.
func (g Grant) String() string { return g.ID }

// Token is an access token as it is kept.
type Token struct {
	Hash         []byte // SHA-256 of the token
	Grant        []byte // Hash of its grant
	GrantID      string
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
	Person       identity.CitizenID
	Certificate  string
	Client       string // "" for anonymous access
	Detailed     bool   // copies are asked for by credential_identifier
	Key          string // thumbprint of the DPoP key, or "" for a bearer token
	ExpiresAt    time.Time
}

// LogValue shows the handle of the grant alone.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.GrantID) }

// String shows the handle of the grant alone.
func (t Token) String() string { return t.GrantID }

// Visit is a wallet's authorization request in a citizen's browser. Citizen is "" until
// they signed in.
type Visit struct {
	Hash         []byte // SHA-256 of the secret that the browser holds
	Asked        Asked
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
	ExpiresAt    time.Time
}

// Rows is the storage that Desk needs. store/wallet implements it. Every claim of a row is
// one conditional statement: of many callers at once, one gets it.
type Rows interface {
	InsertGrant(ctx context.Context, t tx.Tx, g Grant) error
	// VoidOffers ends the open offers of the certificate that the citizen made.
	VoidOffers(ctx context.Context, t tx.Tx, c identity.CitizenID, certificate string, now time.Time) error
	// TryOffer counts an attempt at an offer that lives and has had fewer than limit, and
	// gives the offer, also when it was spent.
	TryOffer(ctx context.Context, t tx.Tx, hash []byte, limit int, now time.Time) (Grant, bool, error)
	// SpendGrant gives a grant of the kind that lives and was not spent, and spends it.
	SpendGrant(ctx context.Context, t tx.Tx, hash []byte, kind Kind, now time.Time) (Grant, bool, error)

	InsertToken(ctx context.Context, t tx.Tx, k Token) error
	// TokenByHash reads a token that lives.
	TokenByHash(ctx context.Context, hash []byte, now time.Time) (Token, bool, error)
	// CountCopies adds n to what a living token has fetched, unless that makes more than limit.
	CountCopies(ctx context.Context, t tx.Tx, hash []byte, n, limit int, now time.Time) (bool, error)
	// EndTokens ends the tokens of a grant.
	EndTokens(ctx context.Context, t tx.Tx, grant []byte) error

	// SpendOnce remembers a nonce or a proof's id until a time, and tells whether it is new.
	SpendOnce(ctx context.Context, t tx.Tx, hash []byte, until time.Time) (bool, error)

	InsertPushed(ctx context.Context, t tx.Tx, hash []byte, a Asked, until time.Time) error
	// TakePushed removes a pushed request and gives it, if it lives.
	TakePushed(ctx context.Context, t tx.Tx, hash []byte, now time.Time) (Asked, bool, error)

	InsertVisit(ctx context.Context, t tx.Tx, v Visit) error
	// SignVisit puts who signed in into a living visit of nobody, under a new hash.
	SignVisit(ctx context.Context, t tx.Tx, old, fresh []byte, c identity.CitizenID, m identity.MunicipalityCode, now time.Time) (bool, error)
	// VisitByHash reads a visit that lives.
	VisitByHash(ctx context.Context, hash []byte, now time.Time) (Visit, bool, error)
	// TakeVisit removes a visit and gives it, if it lives.
	TakeVisit(ctx context.Context, t tx.Tx, hash []byte, now time.Time) (Visit, bool, error)

	// Sweep removes what has expired, at most limit rows of each kind, and tells whether
	// more may be left. Grants are kept until keep, so that a code that comes twice is noticed.
	Sweep(ctx context.Context, t tx.Tx, now, keep time.Time, limit int) (more bool, err error)
}
