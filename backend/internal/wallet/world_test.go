package wallet_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	idempotencyrows "madoguchi.example/backend/internal/store/idempotency"
	"madoguchi.example/backend/internal/store/storetest"
	walletrows "madoguchi.example/backend/internal/store/wallet"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

const (
	iss        = "https://madoguchi.example"
	mother     = identity.CitizenID("ctz_06gzza6qrhz4h2xx8gec9n31dr")
	child      = identity.CitizenID("ctz_06gzza6qrhz4h2xx8gec9n31ds")
	ownCard    = "crt_06gzza6qrhz4h2xx8gec9n31d1"
	oldCard    = "crt_06gzza6qrhz4h2xx8gec9n31d2"
	childCard  = "crt_06gzza6qrhz4h2xx8gec9n31d3"
	strangers  = "crt_06gzza6qrhz4h2xx8gec9n31d4"
	clientID   = "https://wallet.example"
	otherID    = "example.other.wallet"
	home       = "https://wallet.example/cb?x=1"
	otherHome  = "example.other.wallet:/cb"
	verifier   = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	preGrant   = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	requestKey = "key-0000000000000000"
)

var who = actor.Citizen{ID: mother, Municipality: "990019", Session: "ses_1"}

// cards stand in for the office that issues certificates.
type cards struct {
	mu     sync.Mutex
	held   []wallet.Held
	places int64
	copies []int64
}

func (c *cards) Held(context.Context, actor.Citizen, audit.Purpose) ([]wallet.Held, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wallet.Held{}, c.held...), nil
}

func (c *cards) spoil(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.held {
		if c.held[i].ID == id {
			c.held[i].Good = false
		}
	}
}

func (c *cards) ForWallet(_ context.Context, _ tx.Tx, who actor.Citizen, _ audit.Purpose, id string) (cert.Certificate, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.held {
		if h.ID == id && who.ID == mother {
			if !h.Good {
				return cert.Certificate{}, 0, fault.New(fault.Conflict, "not good")
			}
			c.places++
			return cert.Certificate{
				Holder:    identity.PersonName{FamilyKanji: "山田", GivenKanji: "花子"},
				BirthDate: civil.Date{Year: 1985, Month: 4, Day: 1},
				Doses:     []cert.Dose{{Number: 1, Code: "208", Product: "コミナティ筋注", Lot: "PX0001", On: civil.Date{Year: 2021, Month: 7, Day: 1}}},
			}, c.places, nil
		}
	}
	return cert.Certificate{}, 0, fault.New(fault.NotFound, "none")
}

func (c *cards) AddWalletCopy(_ context.Context, _ tx.Tx, of identity.CitizenID, _, keyID string, place int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if keyID != "kid-1" || of == "" {
		return errors.New("a copy of nobody, or of no key")
	}
	c.copies = append(c.copies, place)
	return nil
}

// oneKey stands in for the ring.
type oneKey struct{ key *ecdsa.PrivateKey }

func (k oneKey) Signer(_ context.Context, use keyring.Use, _ time.Time) (keyring.Key, crypto.Signer, error) {
	if use != keyring.SDJWT {
		return keyring.Key{}, nil, errors.New("another use")
	}
	return keyring.Key{ID: "kid-1", Use: use, Public: &k.key.PublicKey}, k.key, nil
}

// door stands in for the provider: a code is the citizen's id, the state the secret's hash.
type door struct{}

func (door) Start(_ context.Context, secret string) (string, error) {
	return "https://provider.example/?state=" + stateOf(secret), nil
}

func stateOf(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }

func (door) Finish(_ context.Context, code, state, secret string) (actor.Citizen, error) {
	if state != stateOf(secret) {
		return actor.Citizen{}, fault.New(fault.Unauthenticated, "another browser")
	}
	if code == "nobody" {
		return actor.Citizen{}, fault.New(fault.IdentityUnlinked, "nobody")
	}
	return actor.Citizen{ID: identity.CitizenID(code), Municipality: "990019"}, nil
}

func (d door) Abandon(ctx context.Context, state, secret string) error {
	_, err := d.Finish(ctx, "", state, secret)
	return err
}

type world struct {
	*wallet.Desk
	db    *store.DB
	cards *cards
	key   *ecdsa.PrivateKey
	// device is the key of a wallet's access tokens.
	device *ecdsa.PrivateKey
	mu     sync.Mutex
	now    time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func open(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{db: db, now: storetest.Now(), key: newKey(t), device: newKey(t), cards: &cards{held: []wallet.Held{
		{ID: ownCard, Person: mother, Name: "山田 花子", Good: true},
		{ID: childCard, Person: child, Name: "山田 太郎", Good: true},
		{ID: oldCard, Person: mother, Name: "山田 花子"},
	}}}
	random := storetest.Rand(t.Name())
	desk, err := wallet.New(wallet.Deps{
		Runner: db.Runner(), Rows: walletrows.New(db.Reads()), Certificates: w.cards, Signers: oneKey{w.key},
		Place:  func(index int64) (string, int64) { return iss + "/.well-known/status/0", index },
		SignIn: door{}, Keeper: idempotency.New(idempotencyrows.New(db.Reads()), w.clock),
		Record: audit.New(auditrows.New(db.Reads()), audit.Register(), w.clock, random),
		Clients: []wallet.Client{
			{ID: clientID, Name: "見本ウォレット", RedirectURIs: []string{home}},
			{ID: otherID, Name: "Other", RedirectURIs: []string{otherHome}},
		},
		Issuer: iss, Secret: bytes.Repeat([]byte{9}, 32), IDs: handle.Source{Now: w.clock, Rand: random}, Now: w.clock, Rand: random,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Desk = desk
	return w
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (w *world) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := w.db.Reads().Each(t.Context(), query, args, func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// offered makes an offer and gives what a wallet reads from it.
func (w *world) offered(t *testing.T, key, card string) (code, tx string) {
	t.Helper()
	o, err := w.Offer(t.Context(), who, audit.CertificateIssuance, key, card)
	if err != nil {
		t.Fatal(err)
	}
	return codeOf(t, o.URI), o.TxCode
}

func codeOf(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "openid-credential-offer" {
		t.Fatalf("the offer is no offer: %v", err)
	}
	var offer struct {
		Issuer  string                    `json:"credential_issuer"`
		IDs     []string                  `json:"credential_configuration_ids"`
		Granted map[string]map[string]any `json:"grants"`
	}
	if err := json.Unmarshal([]byte(u.Query().Get("credential_offer")), &offer); err != nil {
		t.Fatal(err)
	}
	code, _ := offer.Granted[preGrant]["pre-authorized_code"].(string)
	if offer.Issuer != iss || len(offer.IDs) != 1 || offer.IDs[0] != wallet.Configuration || code == "" {
		t.Fatalf("the offer is %+v", offer)
	}
	return code
}

func form(pairs ...string) wallet.Form {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return wallet.Form{Values: v}
}

// wants tells whether a wallet was refused by this name.
func wants(t *testing.T, what string, err error, code string) {
	t.Helper()
	refusal, ok := errors.AsType[*wallet.Refusal](err)
	if !ok || refusal.Code != code {
		t.Errorf("%s: answered %v, want %s", what, err, code)
	}
}

// token walks the pre-authorized code to a token.
func (w *world) token(t *testing.T, key string, more ...string) wallet.Granted {
	t.Helper()
	code, txCode := w.offered(t, key, ownCard)
	g, err := w.Token(t.Context(), form(append([]string{"grant_type", preGrant, "pre-authorized_code", code, "tx_code", txCode}, more...)...))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// proof is what a wallet signs; the fields can be spoiled.
type proof struct {
	key    *ecdsa.PrivateKey
	typ    string
	header map[jose.HeaderKey]any
	claims map[string]any
}

// sign writes the proof with a library of its own.
func (p proof) sign(t *testing.T) string {
	t.Helper()
	o := (&jose.SignerOptions{EmbedJWK: true}).WithType(jose.ContentType(p.typ))
	for name, value := range p.header {
		o = o.WithHeader(name, value)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, o)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(p.claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) nonce(t *testing.T) string {
	t.Helper()
	n, err := w.Nonce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) proof(t *testing.T) proof {
	t.Helper()
	return proof{key: newKey(t), typ: "openid4vci-proof+jwt", claims: map[string]any{
		"aud": iss, "iat": w.clock().Unix(), "nonce": w.nonce(t),
	}}
}

func with(m map[string]any, key string, value any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	if out[key] = value; value == nil {
		delete(out, key)
	}
	return out
}

// ask sends a credential request with these proofs.
func (w *world) ask(token string, proofs ...string) (wallet.Issued, error) {
	body, err := json.Marshal(map[string]any{
		"credential_configuration_id": wallet.Configuration, "proofs": map[string]any{"jwt": proofs},
	})
	if err != nil {
		return wallet.Issued{}, err
	}
	return w.Credentials(context.Background(), wallet.Request{Authorization: "Bearer " + token, Body: body})
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func request() url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {home}, "state": {"st-1"}, "scope": {wallet.Scope},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
}

// signedIn walks a wallet's request to the consent page and gives the browser's secret.
func (w *world) signedIn(t *testing.T, q url.Values) (secret string) {
	t.Helper()
	step, err := w.Authorize(t.Context(), q)
	if err != nil || !strings.HasPrefix(step.Location, "https://provider.example/") || step.Secret == "" {
		t.Fatalf("the browser is led to %q: %v", step.Location, err)
	}
	next, err := w.Callback(t.Context(), url.Values{"code": {string(mother)}, "state": {stateOf(step.Secret)}}, step.Secret)
	if err != nil || next.Location != wallet.ConsentPath || next.Secret == step.Secret {
		t.Fatalf("the browser is led to %q: %v", next.Location, err)
	}
	return next.Secret
}

// allowed says yes and gives the code.
func (w *world) allowed(t *testing.T, q url.Values) string {
	t.Helper()
	secret := w.signedIn(t, q)
	c, err := w.Consent(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	step, err := w.Answer(t.Context(), secret, wallet.Reply{Form: c.Form, Yes: true, Certificate: ownCard})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(step.Location)
	if err != nil || u.Query().Get("iss") != iss || u.Query().Get("state") != q.Get("state") {
		t.Fatalf("the wallet is told %s", u.RawQuery)
	}
	return u.Query().Get("code")
}
