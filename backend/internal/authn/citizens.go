package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Linker finds the one resident whom a sign-in belongs to. The citizen package implements
// it. Where there is none, its error has the code IdentityUnlinked and may name the
// counter to go to (httpapi looks for a method WhereToGo).
type Linker interface {
	Link(ctx context.Context, c Claims) (actor.Citizen, error)
}

// Appender writes the access record. *audit.Log implements it.
type Appender interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Parts are what Citizens, Staff and Terminals are made of.
type Parts struct {
	Run    tx.Runner
	Rows   Rows
	Audit  Appender
	Secret []byte // 32 bytes; from it nonces, verifiers and the marks of refresh tokens are made
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
}

// Citizens signs citizens in and out. It is safe for concurrent use.
type Citizens struct {
	Parts
	provider *Provider
	tokens   *Tokens
	linker   Linker
	flows    flows
	ids      handle.Source
	ended    *endings
}

// NewCitizens makes Citizens.
func NewCitizens(p Parts, provider *Provider, tokens *Tokens, linker Linker) *Citizens {
	return &Citizens{
		Parts: p, provider: provider, tokens: tokens, linker: linker,
		flows: flows{"citizen", p.Secret, p.Rows, p.Run, p.Now, p.Rand},
		ids:   handle.Source{Now: p.Now, Rand: p.Rand}, ended: newEndings(),
	}
}

// Pair is what a signed-in app gets. It masks itself.
type Pair struct {
	Access    string
	ExpiresIn time.Duration
	Refresh   string
}

// LogValue masks the tokens.
func (Pair) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the tokens.
func (Pair) String() string { return identity.Mask }

// Start begins a sign-in and gives where to send the browser. binding is
// base64url(SHA-256(secret)); who knows the secret can finish.
func (c *Citizens) Start(ctx context.Context, binding string) (string, error) {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(binding)
	if err != nil || len(hash) != sha256.Size {
		return "", fault.At(fault.InvalidArgument, "body.binding", "the binding is not a SHA-256 in base64url")
	}
	if _, err := c.provider.discover(ctx); err != nil {
		return "", err
	}
	f, err := c.flows.begin(ctx, hash)
	if err != nil {
		return "", err
	}
	return c.provider.authorizationURL(ctx, f)
}

// Finish ends a sign-in with what the provider sent back.
func (c *Citizens) Finish(ctx context.Context, code, state, secret string) (Pair, error) {
	f, err := c.flows.take(ctx, state, secret)
	if err != nil {
		return Pair{}, err
	}
	claims, err := c.provider.redeem(ctx, f, code)
	if err != nil {
		return Pair{}, err
	}
	who, err := c.linker.Link(ctx, claims)
	if err != nil {
		return Pair{}, err
	}
	return c.open(ctx, who)
}

func (c *Citizens) open(ctx context.Context, who actor.Citizen) (Pair, error) {
	session, err := c.ids.New("ses")
	if err != nil {
		return Pair{}, err
	}
	who.Session = session
	refresh, err := c.newRefresh(who.ID, session)
	if err != nil {
		return Pair{}, err
	}
	now := c.Now()
	err = c.Run.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if err := c.Rows.InsertSession(ctx, t, Session{
			Citizen: who.ID, ID: session, Municipality: who.Municipality, RefreshHash: hashOf(refresh),
			CreatedAt: now, ExpiresAt: now.Add(SessionLifetime),
		}); err != nil {
			return err
		}
		return c.Audit.Append(ctx, t, who, c.event(who, "account.sign_in"))
	})
	if err != nil {
		return Pair{}, err
	}
	return c.pair(who, refresh)
}

func (c *Citizens) event(who actor.Citizen, action string) audit.Event {
	return audit.Event{
		Purpose: audit.Account, Action: action, CitizenID: who.ID,
		Municipality: who.Municipality, Object: who.Session,
	}
}

func (c *Citizens) pair(who actor.Citizen, refresh string) (Pair, error) {
	access, err := c.tokens.mint(AudienceMobile, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: string(who.ID)},
		Session:          who.Session, Municipality: string(who.Municipality),
	})
	return Pair{Access: access, ExpiresIn: AccessLifetime, Refresh: refresh}, err
}

var errRefresh = fault.New(fault.Unauthenticated, "the session has ended: sign in again")

// Refresh replaces a refresh token by a new pair. A token that was replaced less than
// RefreshAgain ago is replaced once more while its successor was never used: the app did
// not get the answer. The unused successor is void from then on. Every other token that
// was replaced, or void, ends its session: somebody else holds the other one.
func (c *Citizens) Refresh(ctx context.Context, token string) (Pair, error) {
	citizen, session, ok := c.readRefresh(token)
	if !ok {
		return Pair{}, errRefresh
	}
	fresh, err := c.newRefresh(citizen, session)
	if err != nil {
		return Pair{}, err
	}
	var kept Session
	var rotated bool
	err = c.Run.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		kept, rotated, err = c.Rows.Rotate(ctx, t, citizen, session, hashOf(token), hashOf(fresh), c.Now())
		if err != nil || rotated {
			return err
		}
		return c.end(ctx, t, actor.Citizen{ID: citizen, Session: session}, "account.session_revoked")
	})
	if err != nil {
		return Pair{}, err
	}
	if !rotated {
		c.ended.add(session, c.Now())
		return Pair{}, errRefresh
	}
	return c.pair(actor.Citizen{ID: citizen, Municipality: kept.Municipality, Session: session}, fresh)
}

func (c *Citizens) end(ctx context.Context, t tx.Tx, who actor.Citizen, action string) error {
	alive, err := c.Rows.EndSession(ctx, t, who.ID, who.Session)
	if err != nil || !alive {
		return err
	}
	return c.Audit.Append(ctx, t, who, c.event(who, action))
}

// SignOut ends the citizen's session. Its access token is refused at once in this
// process, and in others within AccessLifetime.
func (c *Citizens) SignOut(ctx context.Context, who actor.Citizen) error {
	err := c.Run.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return c.end(ctx, t, who, "account.sign_out")
	})
	if err != nil {
		return err
	}
	c.ended.add(who.Session, c.Now())
	return nil
}

// Prove gives the citizen whose access token it is.
func (c *Citizens) Prove(token string) (actor.Citizen, error) {
	claims, err := c.tokens.verify(token, AudienceMobile)
	if err != nil {
		return actor.Citizen{}, err
	}
	if claims.Session == "" || c.ended.has(claims.Session) {
		return actor.Citizen{}, errRefresh
	}
	return actor.Citizen{
		ID: identity.CitizenID(claims.Subject), Session: claims.Session,
		Municipality: identity.MunicipalityCode(claims.Municipality),
	}, nil
}

// A refresh token is citizen, session, a secret and a mark of ours over the three, so
// that a made-up token cannot end anybody's session.

func (c *Citizens) newRefresh(citizen identity.CitizenID, session string) (string, error) {
	s, err := secret(c.Rand)
	if err != nil {
		return "", err
	}
	body := strings.TrimPrefix(string(citizen), "ctz_") + "." + strings.TrimPrefix(session, "ses_") + "." + s
	return body + "." + c.mark(body), nil
}

func (c *Citizens) readRefresh(token string) (identity.CitizenID, string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 4 {
		return "", "", false
	}
	body := strings.Join(parts[:3], ".")
	if !hmac.Equal([]byte(c.mark(body)), []byte(parts[3])) {
		return "", "", false
	}
	return identity.CitizenID("ctz_" + parts[0]), "ses_" + parts[1], true
}

func (c *Citizens) mark(body string) string {
	m := hmac.New(sha256.New, c.Secret)
	fmt.Fprintf(m, "refresh\x00%s", body)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}
