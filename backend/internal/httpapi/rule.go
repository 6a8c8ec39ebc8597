package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/shared/fault"
)

// Gate proves who is calling. The authn package implements it.
// An error is a fault with code Unauthenticated, Forbidden, RateLimited or Unavailable.
type Gate interface {
	Citizen(ctx context.Context, c Credentials) (actor.Citizen, error)
	Terminal(ctx context.Context, c Credentials) (actor.Terminal, error)
	Staff(ctx context.Context, c Credentials) (actor.Staff, error)
}

// Credentials are what a request brought to prove its caller. They mask themselves.
type Credentials struct {
	Bearer  string // the token after "Bearer ", or ""
	Session string // the office console's session cookie, or ""
	Proof   string // the DPoP header, for a token that is bound to a key
	Method  string
	Path    string
}

// String masks the credentials.
func (Credentials) String() string { return "***" }

// SessionCookie is the name of the office console's cookie.
const SessionCookie = office.SessionCookie

func credentialsOf(c *fiber.Ctx) Credentials {
	return Credentials{
		Bearer:  bearer(c.Get(fiber.HeaderAuthorization)),
		Session: session(c),
		Proof:   c.Get("DPoP"),
		Method:  c.Method(),
		Path:    c.Path(),
	}
}

// session gives the console's cookie. Two of them prove nobody: a neighbouring site may
// have planted one of its own (RFC 6265 section 8.6).
func session(c *fiber.Ctx) string {
	found, n := "", 0
	for _, cookie := range (&http.Request{Header: headersOf(c)}).Cookies() {
		if cookie.Name == SessionCookie {
			found, n = cookie.Value, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return found
}

func bearer(header string) string {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// Rule says who may call a route and, by its type, what the handler learns about them.
// The zero Rule guards nothing and is refused when a route is made.
type Rule[A any] struct {
	name  string
	prove func(context.Context, Gate, Credentials) (A, error)
}

func (r Rule[A]) mustExist(path string) {
	if r.prove == nil {
		panic(fmt.Sprintf("httpapi: %s has no access rule", path))
	}
}

// The rules.
var (
	// Public lets everybody in.
	Public = Rule[actor.Anyone]{"public", func(context.Context, Gate, Credentials) (actor.Anyone, error) {
		return actor.Anyone{}, nil
	}}
	// CitizenOnly wants a citizen's access token.
	CitizenOnly = Rule[actor.Citizen]{"citizen", func(ctx context.Context, g Gate, c Credentials) (actor.Citizen, error) {
		return g.Citizen(ctx, c)
	}}
	// TerminalOnly wants a terminal's access token.
	TerminalOnly = Rule[actor.Terminal]{"terminal", func(ctx context.Context, g Gate, c Credentials) (actor.Terminal, error) {
		return g.Terminal(ctx, c)
	}}
)

// StaffWith wants an officer signed in to the console who holds one of the roles; with no
// role named, any officer.
func StaffWith(roles ...actor.Role) Rule[actor.Staff] {
	name := "staff"
	for _, r := range roles {
		name += ":" + string(r)
	}
	return Rule[actor.Staff]{name, func(ctx context.Context, g Gate, c Credentials) (actor.Staff, error) {
		who, err := g.Staff(ctx, c)
		if err != nil {
			return actor.Staff{}, err
		}
		if len(roles) > 0 && !slices.ContainsFunc(roles, who.Has) {
			return actor.Staff{}, fault.New(fault.Forbidden, "the officer does not hold the role")
		}
		return who, nil
	}}
}
