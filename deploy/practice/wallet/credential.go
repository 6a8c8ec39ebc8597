package wallet

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Kept is a credential that was checked and kept.
type Kept struct {
	Issuer string
	// Claims are all of them, with what the disclosures say in its place.
	Claims map[string]any
	// Withheld names the claims of the top level that can be left out.
	Withheld []string

	key         *ecdsa.PrivateKey
	token       string
	disclosures []disclosure
}

// disclosure is one value that can be withheld (RFC 9901 section 4.2).
type disclosure struct {
	text string
	name string // "" for an element of an array
	// holds are the digests of further disclosures within the value.
	value any
}

// keep checks a credential as its holder does.
func (w *Wallet) keep(ctx context.Context, i Issuer, c Configuration, key *ecdsa.PrivateKey, raw string) (Kept, error) {
	k := Kept{Issuer: i.ID, key: key}
	if len(raw) > maxCredential || !strings.HasSuffix(raw, "~") {
		return k, errors.New("the credential is too long, or bound to a key of somebody else already")
	}
	parts := strings.Split(strings.TrimSuffix(raw, "~"), "~")
	k.token = parts[0]
	payload, err := w.verify(ctx, i.ID, parts[0], "dc+sd-jwt")
	if err != nil {
		return k, err
	}
	if k.Claims, err = k.disclose(payload, parts[1:]); err != nil {
		return k, err
	}
	if k.Claims["iss"] != i.ID || k.Claims["vct"] != c.VCT {
		return k, errors.New("the credential is of another issuer or type")
	}
	if err := w.inTime(k.Claims); err != nil {
		return k, err
	}
	if err := k.mine(); err != nil {
		return k, err
	}
	var kind struct{ VCT string }
	if err := w.document(ctx, c.VCT, &kind); err != nil {
		return k, err
	}
	if kind.VCT != c.VCT {
		return k, errors.New("the type's description is of another type")
	}
	return k, nil
}

// verify checks a token of the issuer by the keys that it publishes for its credentials.
func (w *Wallet) verify(ctx context.Context, issuer, token, typ string) ([]byte, error) {
	var published struct {
		Issuer string             `json:"issuer"`
		JWKS   jose.JSONWebKeySet `json:"jwks"`
	}
	if err := w.document(ctx, wellKnown(issuer, "jwt-vc-issuer"), &published); err != nil {
		return nil, err
	}
	if published.Issuer != issuer {
		return nil, errors.New("the published keys are another issuer's")
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("a token is no JWT of ES256")
	}
	h := signed.Signatures[0].Protected
	if h.ExtraHeaders["typ"] != typ {
		return nil, fmt.Errorf("a token is not of the type %s", typ)
	}
	keys := published.JWKS.Key(h.KeyID)
	if h.KeyID == "" || len(keys) != 1 {
		return nil, errors.New("a token names no key that its issuer publishes")
	}
	payload, err := signed.Verify(keys[0])
	if err != nil {
		return nil, errors.New("the signature of a token is wrong")
	}
	return payload, nil
}

func (w *Wallet) inTime(claims map[string]any) error {
	now := w.Now()
	for name, fits := range map[string]func(time.Time) bool{
		"iat": func(at time.Time) bool { return at.Before(now.Add(clockLeeway)) },
		"nbf": func(at time.Time) bool { return at.Before(now.Add(clockLeeway)) },
		"exp": func(at time.Time) bool { return at.After(now) },
	} {
		n, there := claims[name].(json.Number)
		if !there {
			continue
		}
		seconds, err := n.Int64()
		if err != nil || !fits(time.Unix(seconds, 0)) {
			return fmt.Errorf("%s is out of time", name)
		}
	}
	return nil
}

// mine tells whether the credential is bound to the wallet's own key.
func (k Kept) mine() error {
	cnf, _ := k.Claims["cnf"].(map[string]any)
	raw, err := json.Marshal(cnf["jwk"])
	if err != nil {
		return errors.New("the credential is bound to no key")
	}
	var bound jose.JSONWebKey
	if json.Unmarshal(raw, &bound) != nil || !bound.IsPublic() {
		return errors.New("the credential is bound to no key")
	}
	own := jose.JSONWebKey{Key: k.key.Public()}
	a, err1 := bound.Thumbprint(crypto.SHA256)
	b, err2 := own.Thumbprint(crypto.SHA256)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		return errors.New("the credential is bound to another key")
	}
	return nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// disclose puts disclosures in place of their digests (RFC 9901 section 7.1).
func (k *Kept) disclose(payload []byte, texts []string) (map[string]any, error) {
	var claims map[string]any
	if err := read(payload, &claims); err != nil {
		return nil, err
	}
	if alg, there := claims["_sd_alg"]; there && alg != "sha-256" {
		return nil, errors.New("digests of an unknown kind")
	}
	delete(claims, "_sd_alg")
	p := placing{by: map[string]disclosure{}, used: map[string]bool{}}
	for _, text := range texts {
		d, err := parseDisclosure(text)
		if err != nil {
			return nil, err
		}
		if _, twice := p.by[digest(text)]; twice {
			return nil, errors.New("a disclosure stands twice")
		}
		p.by[digest(text)] = d
		k.disclosures = append(k.disclosures, d)
	}
	top, err := p.object(claims)
	if err != nil {
		return nil, err
	}
	if p.placed != len(texts) {
		return nil, errors.New("a disclosure belongs nowhere")
	}
	for _, d := range k.disclosures {
		if d.name != "" {
			k.Withheld = append(k.Withheld, d.name)
		}
	}
	return top, nil
}

func parseDisclosure(text string) (disclosure, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	var parts []any
	if err != nil || read(raw, &parts) != nil || len(parts) < 2 || len(parts) > 3 {
		return disclosure{}, errors.New("a disclosure is malformed")
	}
	salt, ok := parts[0].(string)
	if !ok || len(salt) < 22 { // 128 bits in base64url
		return disclosure{}, errors.New("a disclosure has too little salt")
	}
	d := disclosure{text: text, value: parts[len(parts)-1]}
	if len(parts) == 3 {
		if d.name, ok = parts[1].(string); !ok || slices.Contains([]string{"", "_sd", "...", "iss", "vct", "cnf", "exp", "nbf", "status"}, d.name) {
			return disclosure{}, errors.New("a disclosure has a name that cannot be withheld")
		}
	}
	return d, nil
}

// placing finds each digest's disclosure once.
type placing struct {
	by     map[string]disclosure
	used   map[string]bool
	placed int
}

func (p *placing) take(sum any, named bool) (disclosure, bool, error) {
	text, ok := sum.(string)
	if !ok || p.used[text] {
		return disclosure{}, false, errors.New("a digest is malformed or stands twice")
	}
	p.used[text] = true
	d, there := p.by[text]
	if there && (d.name != "") != named {
		return d, false, errors.New("a disclosure is of the wrong kind for its place")
	}
	if there {
		p.placed++
	}
	return d, there, nil
}

func (p *placing) any(value any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		return p.object(v)
	case []any:
		return p.array(v)
	}
	return value, nil
}

func (p *placing) object(in map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for name, value := range in {
		if name == "_sd" || name == "..." {
			continue
		}
		placed, err := p.any(value)
		if err != nil {
			return nil, err
		}
		out[name] = placed
	}
	sums, _ := in["_sd"].([]any)
	for _, sum := range sums {
		d, there, err := p.take(sum, true)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		if _, twice := out[d.name]; twice {
			return nil, errors.New("a claim stands twice")
		}
		if out[d.name], err = p.any(d.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *placing) array(in []any) ([]any, error) {
	out := []any{}
	for _, value := range in {
		place, _ := value.(map[string]any)
		if sum, hidden := place["..."]; hidden && len(place) == 1 {
			d, there, err := p.take(sum, false)
			if err != nil {
				return nil, err
			}
			if !there {
				continue
			}
			value = d.value
		}
		placed, err := p.any(value)
		if err != nil {
			return nil, err
		}
		out = append(out, placed)
	}
	return out, nil
}

// Present shows the credential with these claims (elements of arrays always) to a verifier,
// bound to its nonce (RFC 9901 section 4.3).
func (w *Wallet) Present(k Kept, audience, nonce string, claims ...string) (string, error) {
	text := k.token + "~"
	for _, d := range k.disclosures {
		if d.name == "" || slices.Contains(claims, d.name) {
			text += d.text + "~"
		}
	}
	binding, err := sign(k.key, "kb+jwt", false, map[string]any{"iat": w.Now().Unix(), "aud": audience, "nonce": nonce, "sd_hash": digest(text)})
	return text + binding, err
}

// Whole is the credential with all its disclosures, as the issuer gave it.
func (k Kept) Whole() string {
	text := k.token + "~"
	for _, d := range k.disclosures {
		text += d.text + "~"
	}
	return text
}

// maxList bounds an inflated status list.
const maxList = 2 << 20

// Status asks what the issuer says of the credential today: 0 valid, 1 invalid, 2 suspended
// (draft-ietf-oauth-status-list section 7.1).
func (w *Wallet) Status(ctx context.Context, k Kept) (int, error) {
	status, _ := k.Claims["status"].(map[string]any)
	list, _ := status["status_list"].(map[string]any)
	number, _ := list["idx"].(json.Number)
	index, err := number.Int64()
	uri, _ := list["uri"].(string)
	if err != nil || index < 0 || secure(uri) != nil {
		return 0, errors.New("the credential names no place in a status list")
	}
	raw, _, err := w.get(ctx, uri, "application/statuslist+jwt")
	if err != nil {
		return 0, err
	}
	payload, err := w.verify(ctx, k.Issuer, string(raw), "statuslist+jwt")
	if err != nil {
		return 0, err
	}
	var token struct {
		Subject string `json:"sub"`
		List    struct {
			Bits int64  `json:"bits"`
			List string `json:"lst"`
		} `json:"status_list"`
	}
	var claims map[string]any
	if err := errors.Join(read(payload, &token), read(payload, &claims)); err != nil {
		return 0, err
	}
	if _, there := claims["iat"]; !there || token.Subject != uri {
		return 0, errors.New("the status list is another one")
	}
	if err := w.inTime(claims); err != nil {
		return 0, err
	}
	return bitsAt(token.List.List, token.List.Bits, index)
}

func bitsAt(list string, bits, index int64) (int, error) {
	if !slices.Contains([]int64{1, 2, 4, 8}, bits) {
		return 0, errors.New("a status has no known width")
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(list)
	if err != nil {
		return 0, errors.New("the status list is not base64url")
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return 0, errors.New("the status list is not compressed by zlib")
	}
	states, err := io.ReadAll(io.LimitReader(z, maxList+1))
	if err != nil || len(states) > maxList {
		return 0, errors.New("the status list cannot be inflated")
	}
	at := index * bits
	if at/8 >= int64(len(states)) {
		return 0, errors.New("the status list has no such place")
	}
	return int(states[at/8]>>(at%8)) & (1<<bits - 1), nil
}
