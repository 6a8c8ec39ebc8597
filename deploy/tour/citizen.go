package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"madoguchi.example/mobile-api/client"
)

// stay makes an HTTP client that follows no redirect.
func stay() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// SignIn signs a practice person in on a new phone: code flow, PKCE, the practice
// provider's answer taken from its redirect. The client is given also when the backend
// refuses the person, with the refusal.
func (g *Guide) SignIn(ctx context.Context, sub string) (*client.Client, error) {
	phone, err := client.New(g.Stage.Public.URL(), nil, g.Rand)
	if err != nil {
		return nil, err
	}
	begun, err := phone.StartSignIn(ctx, "ja")
	if err != nil {
		return nil, fmt.Errorf("cannot begin to sign in: %w", err)
	}
	at, err := authorize(ctx, stay(), begun.AuthorizationURL, sub)
	if err != nil {
		return nil, err
	}
	return phone, phone.FinishSignInAt(ctx, begun, at)
}

// authorize answers the provider's page as the person sub and gives where it redirects.
func authorize(ctx context.Context, browser *http.Client, to, sub string) (*url.URL, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, fmt.Errorf("the authorization address is malformed: %w", err)
	}
	q := u.Query()
	for _, need := range []string{"state", "nonce", "code_challenge"} {
		if q.Get(need) == "" {
			return nil, fmt.Errorf("the authorization request has no %s", need)
		}
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" {
		return nil, errors.New("the authorization request is not the code flow with PKCE S256")
	}
	q.Set("login_hint", sub)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("the provider answered %d instead of a redirect", resp.StatusCode)
	}
	if code := at.Query().Get("error"); code != "" {
		return nil, fmt.Errorf("the provider refused: %s", code)
	}
	return at, nil
}

// refusal checks that err is the backend's refusal with the code.
func refusal(err error, code string) (*client.Problem, error) {
	var p *client.Problem
	if !errors.As(err, &p) {
		return nil, fmt.Errorf("expected the refusal %s, got %v", code, err)
	}
	return p, want(p.Code == code, "expected the refusal %s, got %s", code, p.Code)
}
