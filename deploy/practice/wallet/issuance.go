package wallet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Token is an answer of the token endpoint (section 6.2).
type Token struct {
	Access    string      `json:"access_token"`
	Type      string      `json:"token_type"`
	ExpiresIn json.Number `json:"expires_in"`
}

func (w *Wallet) token(ctx context.Context, i Issuer, fields url.Values) (Token, error) {
	var t Token
	if err := w.form(ctx, i.server.Token, fields, &t); err != nil {
		return t, err
	}
	if t.Access == "" || !strings.EqualFold(t.Type, w.scheme()) {
		return t, errors.New("the token endpoint gave no token of the kind that was asked for")
	}
	return t, nil
}

// Redeem exchanges an offer's code and what its owner typed.
func (w *Wallet) Redeem(ctx context.Context, i Issuer, o Offer, txCode string) (Token, error) {
	if o.Issuer != i.ID {
		return Token{}, errors.New("the offer is another issuer's")
	}
	if !slices.Contains(i.server.Grants, grantPreAuthorized) {
		return Token{}, errors.New("the authorization server takes no pre-authorized code")
	}
	return w.token(ctx, i, url.Values{"grant_type": {grantPreAuthorized},
		"pre-authorized_code": {o.Grants.PreAuthorized.Code}, "tx_code": {txCode}})
}

// Visit is an authorization request that waits for its redirect.
type Visit struct {
	URL      string // where the person's browser goes
	Code     string // once it came back
	state    string
	verifier string
}

// Visit begins the authorization code flow for one kind of credential.
func (w *Wallet) Visit(ctx context.Context, i Issuer, name string) (*Visit, error) {
	c, err := i.configuration(name)
	if err != nil {
		return nil, err
	}
	if c.Scope == "" {
		return nil, errors.New("the credential has no scope to ask for")
	}
	v := &Visit{}
	if v.state, err = w.secret(16); err != nil {
		return nil, err
	}
	if v.verifier, err = w.secret(32); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(v.verifier))
	asked := url.Values{"response_type": {"code"}, "client_id": {w.ClientID},
		"redirect_uri": {w.RedirectURI}, "scope": {c.Scope}, "state": {v.state}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	if w.Assured {
		asked, err = w.push(ctx, i, asked)
	}
	v.URL = i.server.Authorization + "?" + asked.Encode()
	return v, err
}

// push sends an authorization request before the browser comes, and gives what the browser
// brings in its place.
func (w *Wallet) push(ctx context.Context, i Issuer, asked url.Values) (url.Values, error) {
	if secure(i.server.Pushed) != nil {
		return nil, errors.New("the authorization server takes no pushed requests")
	}
	var out struct {
		URI string `json:"request_uri"`
	}
	if err := w.form(ctx, i.server.Pushed, asked, &out); err != nil {
		return nil, err
	}
	if out.URI == "" {
		return nil, errors.New("the pushed request got no name")
	}
	return url.Values{"client_id": {w.ClientID}, "request_uri": {out.URI}}, nil
}

// Return takes the redirect and exchanges its code.
func (w *Wallet) Return(ctx context.Context, i Issuer, v *Visit, to *url.URL) (Token, error) {
	q := to.Query()
	for _, name := range []string{"code", "state", "iss", "error"} {
		if len(q[name]) > 1 {
			return Token{}, errors.New("the redirect says something twice")
		}
	}
	bare := *to
	bare.RawQuery = ""
	switch {
	case bare.String() != w.RedirectURI:
		return Token{}, errors.New("the redirect leads elsewhere")
	case q.Get("state") != v.state:
		return Token{}, errors.New("the redirect answers another request")
	case q.Get("iss") != i.server.Issuer:
		return Token{}, errors.New("the redirect comes from another issuer")
	case q.Get("error") != "":
		return Token{}, &Refusal{http.StatusFound, q.Get("error")}
	case q.Get("code") == "":
		return Token{}, errors.New("the redirect brings no code")
	}
	v.Code = q.Get("code")
	return w.Exchange(ctx, i, v)
}

// Exchange exchanges a code that a redirect brought.
func (w *Wallet) Exchange(ctx context.Context, i Issuer, v *Visit) (Token, error) {
	return w.token(ctx, i, url.Values{"grant_type": {"authorization_code"}, "code": {v.Code},
		"redirect_uri": {w.RedirectURI}, "client_id": {w.ClientID}, "code_verifier": {v.verifier}})
}

// Nonce asks for a fresh nonce (section 7).
func (w *Wallet) Nonce(ctx context.Context, i Issuer) (string, error) {
	var out struct {
		Nonce string `json:"c_nonce"`
	}
	err := w.form(ctx, i.Nonce, nil, &out)
	if err == nil && out.Nonce == "" {
		err = errors.New("the nonce endpoint gave none")
	}
	return out.Nonce, err
}

// NewKey makes a holder's key.
func (w *Wallet) NewKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), w.Rand)
}

// Proof proves to an issuer that the wallet holds a key (appendix F.1).
func (w *Wallet) Proof(key *ecdsa.PrivateKey, issuer, nonce string) (string, error) {
	return sign(key, "openid4vci-proof+jwt", true, map[string]any{"aud": issuer, "iat": w.Now().Unix(), "nonce": nonce})
}

// sign makes a compact JWT.
func sign(key *ecdsa.PrivateKey, typ string, embed bool, claims map[string]any) (string, error) {
	o := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, o)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	signed, err := s.Sign(raw)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return signed.CompactSerialize()
}

// Ask sends proofs to the credential endpoint (section 8) and gives what it answered, which
// nobody has checked.
func (w *Wallet) Ask(ctx context.Context, i Issuer, t Token, name string, proofs ...string) ([]string, error) {
	body, err := json.Marshal(map[string]any{"credential_configuration_id": name, "proofs": map[string]any{"jwt": proofs}})
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the credential: %w", err)
	}
	req, err := w.request(ctx, http.MethodPost, i.Credential, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("Authorization", w.scheme()+" "+t.Access)
	if err := w.bind(req, t.Access); err != nil {
		return nil, err
	}
	var out struct {
		Credentials []struct {
			Credential string `json:"credential"`
		} `json:"credentials"`
	}
	if err := w.private(req, &out); err != nil {
		return nil, err
	}
	if len(out.Credentials) != len(proofs) {
		return nil, fmt.Errorf("%d proofs were answered with %d credentials", len(proofs), len(out.Credentials))
	}
	var list []string
	for _, c := range out.Credentials {
		list = append(list, c.Credential)
	}
	return list, nil
}

// Fetch takes a credential for a token: a nonce, a proof of a fresh key, the credential,
// and everything that is to be checked of it.
func (w *Wallet) Fetch(ctx context.Context, i Issuer, t Token, name string) (Kept, error) {
	c, err := i.configuration(name)
	if err != nil {
		return Kept{}, err
	}
	key, err := w.NewKey()
	if err != nil {
		return Kept{}, err
	}
	nonce, err := w.Nonce(ctx, i)
	if err != nil {
		return Kept{}, err
	}
	proof, err := w.Proof(key, i.ID, nonce)
	if err != nil {
		return Kept{}, err
	}
	list, err := w.Ask(ctx, i, t, name, proof)
	if err != nil {
		return Kept{}, err
	}
	return w.keep(ctx, i, c, key, list[0])
}

// Take does all of the pre-authorized flow.
func (w *Wallet) Take(ctx context.Context, offer, txCode string) (Kept, error) {
	o, err := ParseOffer(offer)
	if err != nil {
		return Kept{}, err
	}
	i, err := w.Discover(ctx, o.Issuer)
	if err != nil {
		return Kept{}, err
	}
	t, err := w.Redeem(ctx, i, o, txCode)
	if err != nil {
		return Kept{}, err
	}
	return w.Fetch(ctx, i, t, o.Configurations[0])
}

// clockLeeway is how far an issuer's clock may be from the wallet's.
const clockLeeway = time.Minute
