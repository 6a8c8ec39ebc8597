package authn

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Keys finds a terminal's registered public key and whether it may be used. The fleet
// package implements it. Errors have the code NotFound for a terminal that was never
// enrolled.
type Keys interface {
	// TerminalKey also gives the key of a terminal that is out of use, so that only the
	// terminal itself is told that it is.
	TerminalKey(ctx context.Context, terminal string) (actor.Terminal, *ecdsa.PublicKey, error)
	// InUse is Forbidden for a terminal that was taken out of use. It is asked with every
	// request.
	InUse(ctx context.Context, terminal string) error
}

// TokenPath is where terminals ask for tokens; the public URL and it are the audience of
// their assertions.
const TokenPath = "/terminal/v1/token"

// Terminals gives terminals their access tokens. It is safe for concurrent use.
type Terminals struct {
	Parts
	tokens   *Tokens
	keys     Keys
	audience string
}

// NewTerminals makes Terminals. publicURL is the backend's own, without a slash at its end.
func NewTerminals(p Parts, tokens *Tokens, keys Keys, publicURL string) *Terminals {
	return &Terminals{Parts: p, tokens: tokens, keys: keys, audience: publicURL + TokenPath}
}

// Granted is an access token for a terminal.
type Granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

var errAssertion = fault.New(fault.Unauthenticated, "the terminal's assertion cannot be used")

// Grant answers a client-credentials request (RFC 6749 section 4.4) whose client proves
// itself by private_key_jwt (RFC 7523 section 2.2) with ES256. With a fresh nonce of ours in
// the assertion the terminal's own times are not looked at.
func (s *Terminals) Grant(ctx context.Context, form url.Values) (Granted, error) {
	for _, values := range form {
		if len(values) != 1 {
			return Granted{}, fault.At(fault.InvalidArgument, "body", "a field of the form stands twice")
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return Granted{}, fault.At(fault.InvalidArgument, "body.grant_type", "only client_credentials is served")
	}
	if form.Get("client_assertion_type") != assertionType {
		return Granted{}, fault.At(fault.InvalidArgument, "body.client_assertion_type", "only jwt-bearer is served")
	}
	who, err := s.authenticate(ctx, form.Get("client_assertion"))
	if err != nil {
		return Granted{}, err
	}
	token, err := s.tokens.mint(AudienceTerminal, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: who.ID},
		Municipality:     string(who.Municipality), Office: who.Office, Class: who.Class,
	})
	return Granted{token, "Bearer", int(AccessLifetime / time.Second)}, err
}

func (s *Terminals) authenticate(ctx context.Context, raw string) (actor.Terminal, error) {
	if raw == "" || len(raw) > MaxTokenBytes {
		return actor.Terminal{}, errAssertion
	}
	id, ok := peekSubject(raw)
	if !ok {
		return actor.Terminal{}, errAssertion
	}
	who, key, err := s.keys.TerminalKey(ctx, id)
	if fault.CodeOf(err) == fault.NotFound {
		return actor.Terminal{}, errAssertion
	}
	if err != nil {
		return actor.Terminal{}, err
	}
	claims, err := s.parse(raw, id, key)
	if err != nil {
		return actor.Terminal{}, errAssertion
	}
	if err := s.keys.InUse(ctx, id); err != nil {
		return actor.Terminal{}, err
	}
	return who, s.spend(ctx, id, claims)
}

// assertionClaims are the claims of RFC 7523 and, for a terminal whose clock is wrong, a
// nonce of ours in place of a time.
type assertionClaims struct {
	jwt.RegisteredClaims
	Nonce *string `json:"nonce,omitempty"`

	until time.Time // how long the assertion must not come again
}

func (s *Terminals) parse(raw, id string, key *ecdsa.PublicKey) (assertionClaims, error) {
	var c assertionClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
		return key, assertionHeaders(token)
	}); err != nil {
		return c, err
	}
	if c.Issuer != id || c.Subject != id || c.ID == "" || len(c.ID) > 200 || len(c.Audience) != 1 || c.Audience[0] != s.audience {
		return c, errors.New("a claim is missing or wrong")
	}
	if c.Nonce == nil {
		return c, s.checkTimes(&c)
	}
	until, ok := s.nonceLives(*c.Nonce)
	if !ok {
		return c, errors.New("the nonce is not ours or too old")
	}
	c.until = until
	return c, nil
}

// checkTimes holds an assertion without a nonce to our clock.
func (s *Terminals) checkTimes(c *assertionClaims) error {
	now := s.Now()
	err := jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(s.Now)).Validate(c.RegisteredClaims)
	switch {
	case err != nil:
		return err
	case c.ExpiresAt.Sub(now) > AssertionLimit:
		return errors.New("the assertion lives too long")
	case c.IssuedAt != nil && c.IssuedAt.After(now):
		return errors.New("the assertion comes from the future")
	}
	c.until = c.ExpiresAt.Time
	return nil
}

// assertionHeaders allows alg, typ and kid alone; typ says nothing, "JWT" or what RFC
// 7523's successor calls it. An access token is no assertion.
func assertionHeaders(token *jwt.Token) error {
	for name, value := range token.Header {
		switch name {
		case "alg", "kid":
		case "typ":
			if value != "JWT" && value != "client-authentication+jwt" {
				return errors.New("wrong type")
			}
		default:
			return errors.New("unknown header")
		}
	}
	return nil
}

// spend lets an assertion, and the nonce in it, be used once.
func (s *Terminals) spend(ctx context.Context, id string, c assertionClaims) error {
	var fresh bool
	err := s.Run.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		fresh, err = s.Rows.SpendAssertion(ctx, t, id, hashOf(c.ID), c.until)
		if err != nil || !fresh || c.Nonce == nil {
			return err
		}
		fresh, err = s.Rows.SpendAssertion(ctx, t, id, hashOf("nonce "+*c.Nonce), c.until)
		return err
	})
	if err != nil {
		return err
	}
	if !fresh {
		return errAssertion
	}
	return nil
}

// Prove gives the terminal whose access token it is. A terminal that was taken out of use
// is Forbidden from that moment on, however long its token would live.
func (s *Terminals) Prove(ctx context.Context, token string) (actor.Terminal, error) {
	c, err := s.tokens.verify(token, AudienceTerminal)
	if err != nil {
		return actor.Terminal{}, err
	}
	err = s.keys.InUse(ctx, c.Subject)
	if fault.CodeOf(err) == fault.NotFound {
		return actor.Terminal{}, errToken
	}
	if err != nil {
		return actor.Terminal{}, err
	}
	return actor.Terminal{
		ID: c.Subject, Office: c.Office, Class: c.Class,
		Municipality: identity.MunicipalityCode(c.Municipality),
	}, nil
}

// sweepRows caps what one transaction of Sweep removes of each kind.
const sweepRows = 500

// Sweep removes expired sign-ins, sessions and assertions, all of them: anybody may begin
// a sign-in, so that their number is bounded by what expires alone. A schedule calls it.
func Sweep(ctx context.Context, p Parts) error {
	for more := true; more && ctx.Err() == nil; {
		if err := p.Run.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			more, err = p.Rows.Sweep(ctx, t, p.Now(), sweepRows)
			return err
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
