package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// SignIn is a sign-in that has begun: send a browser (or a test) to AuthorizationURL and
// finish with what it is redirected to.
type SignIn struct {
	AuthorizationURL string
	secret           string
}

// StartSignIn begins the code flow. The server learns only the SHA-256 of the secret's
// characters; the secret itself ends the flow.
func (c *Client) StartSignIn(ctx context.Context, language string) (SignIn, error) {
	secret, err := c.word(32)
	if err != nil {
		return SignIn{}, err
	}
	sum := sha256.Sum256([]byte(secret))
	in := apiv1.SignInStart{}
	in.Body.Binding = base64.RawURLEncoding.EncodeToString(sum[:])
	in.Body.Language = language
	var out struct {
		AuthorizationURL string `json:"authorization_url"`
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: apiv1.StartSignIn.Path, body: in.Body, public: true}, &out)
	return SignIn{AuthorizationURL: out.AuthorizationURL, secret: secret}, err
}

// FinishSignIn hands over the code and state with which the provider sent the browser
// back, and keeps the tokens. A person who is not linked to exactly one resident gets a
// *Problem with code identity_unlinked and a Counter.
func (c *Client) FinishSignIn(ctx context.Context, s SignIn, code, state string) error {
	in := apiv1.SignInFinish{}
	in.Body.Code, in.Body.State, in.Body.Secret = code, state, s.secret
	var pair apiv1.TokenPair
	_, err := c.do(ctx, call{method: http.MethodPost, path: apiv1.FinishSignIn.Path, body: in.Body, public: true}, &pair)
	if err != nil {
		return err
	}
	c.Resume(pair)
	return nil
}

// FinishSignInAt does FinishSignIn with the address of the app's page that the provider
// redirected to (/app/sign-in?code=…&state=…).
func (c *Client) FinishSignInAt(ctx context.Context, s SignIn, redirected *url.URL) error {
	q := redirected.Query()
	if q.Get("error") != "" {
		return fault.New(fault.Unauthenticated, "the provider did not sign the person in")
	}
	if q.Get("code") == "" || q.Get("state") == "" {
		return errors.New("cannot finish the sign-in: the redirect has no code or no state")
	}
	return c.FinishSignIn(ctx, s, q.Get("code"), q.Get("state"))
}

// SignOut ends the session at the server and forgets the tokens. They stay when the server
// could not be reached.
func (c *Client) SignOut(ctx context.Context) error {
	if _, err := c.do(ctx, call{method: http.MethodPost, path: apiv1.SignOut.Path}, nil); err != nil {
		return err
	}
	c.Resume(apiv1.TokenPair{})
	return nil
}

// word makes n random bytes as base64url.
func (c *Client) word(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.rand, b); err != nil {
		return "", fmt.Errorf("cannot read random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
