package wallet

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// The grant types.
const (
	grantPreAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	grantCode          = "authorization_code"
)

// Form is what a wallet posted to the token endpoint or the one for pushed requests.
type Form struct {
	Values url.Values
	// Authorization tells that the request had an Authorization header: clients are not
	// authenticated here.
	Authorization bool
	Proofs        []string // the DPoP headers
}

// one gives a parameter; ok is false where it stands twice or is too long.
func (f Form) one(name string, limit int) (value string, ok bool) {
	v := f.Values[name]
	if len(v) == 0 {
		return "", true
	}
	return v[0], len(v) == 1 && len(v[0]) <= limit
}

// values reads parameters of at most MaxValue bytes; a parameter without a value counts as
// left out (RFC 6749 section 3.1).
func (f Form) values(names ...string) (map[string]string, bool) {
	out := map[string]string{}
	for _, name := range names {
		v, ok := f.one(name, MaxValue)
		if !ok {
			return nil, false
		}
		out[name] = v
	}
	return out, true
}

// Granted is the answer of the token endpoint (section 6.2). It masks itself.
type Granted struct {
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	ExpiresIn   int      `json:"expires_in"`
	Details     []detail `json:"authorization_details,omitempty"`
}

// LogValue masks the token.
func (Granted) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the token.
func (Granted) String() string { return identity.Mask }

type detail struct {
	Type          string   `json:"type"`
	Configuration string   `json:"credential_configuration_id"`
	Identifiers   []string `json:"credential_identifiers"`
}

// Token exchanges a code for an access token. A wallet is told of a mistake by a Refusal.
func (d *Desk) Token(ctx context.Context, f Form) (Granted, error) {
	if err := noSecret(f); err != nil {
		return Granted{}, err
	}
	kind, ok := f.one("grant_type", MaxValue)
	if !ok || kind == "" {
		return Granted{}, errInvalidRequest
	}
	detailed, err := details(f)
	if err != nil {
		return Granted{}, err
	}
	var redeem redemption
	switch kind {
	case grantPreAuthorized:
		redeem, err = d.preAuthorized(f)
	case grantCode:
		redeem, err = d.authorizationCode(f)
	default:
		return Granted{}, errGrantType
	}
	if err != nil {
		return Granted{}, err
	}
	var proof signedHere
	if len(f.Proofs) > 0 {
		if proof, err = d.possession(f.Proofs[0], TokenPath, ""); err != nil || len(f.Proofs) > 1 {
			return Granted{}, errInvalidDPoP
		}
	}
	return d.grant(ctx, redeem, proof, detailed)
}

// noSecret refuses a client that wants to be authenticated: wallets are public clients.
func noSecret(f Form) error {
	if f.Authorization {
		return &Refusal{Status: http.StatusUnauthorized, Code: errInvalidClient.Code, Scheme: "Basic"}
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		if len(f.Values[name]) > 0 {
			return errInvalidClient
		}
	}
	return nil
}

// details reads authorization_details and tells whether our one configuration is asked for by them.
func details(f Form) (bool, error) {
	raw, ok := f.one("authorization_details", MaxDetails)
	if !ok {
		return false, errInvalidRequest
	}
	if raw == "" {
		return false, nil
	}
	var entries []json.RawMessage
	if !unambiguous([]byte(raw)) {
		return false, errDetails
	}
	if entries, ok = list(json.RawMessage(raw)); !ok || len(entries) == 0 {
		return false, errDetails
	}
	for _, e := range entries {
		m, err := members(e)
		if err != nil {
			return false, errDetails
		}
		kind, _ := text(m["type"], MaxValue)
		id, _ := text(m["credential_configuration_id"], MaxValue)
		if kind != detailType || id != Configuration {
			return false, errDetails
		}
	}
	return true, nil
}

const detailType = "openid_credential"

// redemption spends a code in a transaction. ended is false where the code is not good;
// what it wrote is kept all the same: attempts count, and a code that comes twice ends what
// came of it.
type redemption func(ctx context.Context, t tx.Tx, key string) (g Grant, client string, good bool, err error)

// preAuthorized redeems the code of an offer.
func (d *Desk) preAuthorized(f Form) (redemption, error) {
	v, ok := f.values("pre-authorized_code", "tx_code", "client_id")
	if !ok || v["pre-authorized_code"] == "" || v["tx_code"] == "" || !visible(v["client_id"]) {
		return nil, errInvalidRequest
	}
	hash := hashOf(v["pre-authorized_code"])
	return func(ctx context.Context, t tx.Tx, _ string) (Grant, string, bool, error) {
		offer, found, err := d.Rows.TryOffer(ctx, t, hash, MaxTries, d.Now())
		if err != nil || !found || subtle.ConstantTimeCompare([]byte(v["tx_code"]), []byte(d.txCode(offer.ID))) != 1 {
			return Grant{}, "", false, err
		}
		g, good, err := d.spend(ctx, t, hash, Offered)
		return g, v["client_id"], good, err
	}, nil
}

// verifierLength bounds a PKCE verifier (RFC 7636 section 4.1).
const minVerifier, maxVerifier = 43, 128

// authorizationCode redeems a code of the consent page. Whoever brings the code spends it,
// also with the wrong client, redirect URI or verifier.
func (d *Desk) authorizationCode(f Form) (redemption, error) {
	v, ok := f.values("code", "redirect_uri", "client_id", "code_verifier")
	if !ok || v["code"] == "" || v["redirect_uri"] == "" || v["client_id"] == "" || !unreserved(v["code_verifier"], minVerifier, maxVerifier) {
		return nil, errInvalidRequest
	}
	if d.clients[v["client_id"]].ID == "" {
		return nil, errInvalidClient
	}
	sum := sha256.Sum256([]byte(v["code_verifier"]))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	hash := hashOf(v["code"])
	return func(ctx context.Context, t tx.Tx, key string) (Grant, string, bool, error) {
		g, good, err := d.spend(ctx, t, hash, Consented)
		same := subtle.ConstantTimeCompare([]byte(challenge), []byte(g.Challenge)) == 1
		good = good && same && g.Client == v["client_id"] && g.RedirectURI == v["redirect_uri"] && (g.Key == "" || g.Key == key)
		return g, g.Client, good, err
	}, nil
}

// spend takes a code once; the second time it ends the tokens that came of the first (RFC
// 6749 section 4.1.2).
func (d *Desk) spend(ctx context.Context, t tx.Tx, hash []byte, kind Kind) (Grant, bool, error) {
	g, fresh, err := d.Rows.SpendGrant(ctx, t, hash, kind, d.Now())
	if err != nil || fresh {
		return g, fresh, err
	}
	return g, false, d.Rows.EndTokens(ctx, t, hash)
}

// unreserved tells whether s is made of the characters of RFC 3986 section 2.3.
func unreserved(s string, shortest, longest int) bool {
	if len(s) < shortest || len(s) > longest {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

func (d *Desk) grant(ctx context.Context, redeem redemption, proof signedHere, detailed bool) (Granted, error) {
	token, err := d.secret()
	if err != nil {
		return Granted{}, err
	}
	var k Token
	good := false
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if proof.key != nil {
			if err := d.spendPossession(ctx, t, proof); err != nil {
				return err
			}
		}
		var g Grant
		var client string
		if g, client, good, err = redeem(ctx, t, proof.thumbprint); err != nil || !good {
			return err
		}
		k = Token{
			Hash: hashOf(token), Grant: g.Hash, GrantID: g.ID, Citizen: g.Citizen, Municipality: g.Municipality, Person: g.Person,
			Certificate: g.Certificate, Client: client, Detailed: g.Detailed || detailed, Key: proof.thumbprint,
			ExpiresAt: d.Now().Add(TokenLifetime),
		}
		return d.Rows.InsertToken(ctx, t, k)
	})
	if err == nil && !good {
		err = errInvalidGrant
	}
	if err != nil {
		return Granted{}, err
	}
	return d.granted(token, k), nil
}

func (d *Desk) granted(token string, k Token) Granted {
	out := Granted{AccessToken: token, TokenType: schemeBearer, ExpiresIn: int(TokenLifetime / time.Second)}
	if k.Key != "" {
		out.TokenType = schemeDPoP
	}
	if k.Detailed {
		out.Details = []detail{{detailType, Configuration, []string{d.dataset(k.Certificate)}}}
	}
	return out
}

// dataset is the credential_identifier of a certificate: the wallet learns no handle of ours.
func (d *Desk) dataset(certificateID string) string {
	return base64.RawURLEncoding.EncodeToString(d.mark("dataset", certificateID)[:16])
}
