package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/fault"
)

// press publishes what it is asked for.
type press struct{ version string }

func (p *press) say(what string) ([]byte, string, error) { return []byte(what), p.version, nil }

func (p *press) JWKS(context.Context) ([]byte, string, error) { return p.say("keys") }

func (p *press) CRL(_ context.Context, kid string) ([]byte, string, error) {
	if kid == "none" {
		return nil, "", fault.New(fault.NotFound, "nothing is published under this name")
	}
	return p.say("crl " + kid)
}

func (p *press) VCIssuer(context.Context) ([]byte, string, error) { return p.say("issuer") }

func (p *press) StatusList(_ context.Context, n int64) ([]byte, string, error) {
	return p.say(fmt.Sprint("status ", n))
}

func (p *press) Revocations(context.Context) ([]byte, string, error) { return p.say("revoked") }

func (p *press) Signers(_ context.Context, use keyring.Use) ([]byte, string, error) {
	return p.say("signers " + string(use))
}

func readPublished(t *testing.T, base, path, known string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://verifier.example")
	if known != "" {
		r.Header.Set("If-None-Match", known)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// kept is how long others may keep a document, without asking again.
func kept(seconds string) string {
	if seconds == "" {
		return "public, no-cache"
	}
	return "public, max-age=" + seconds
}

// Everybody may read what is published, from any web page, and keep it for its time.
func TestWellKnown(t *testing.T) {
	p := &press{version: "1"}
	s := serve(t, &lockedLog{}, nil, WellKnownRoutes(WellKnownDeps{Press: p, KeyAge: 24 * time.Hour, RevocationAge: 5 * time.Minute})...)
	const kid = "a-b_c-3Kfdg-XwP-7gXyywtUfUADwBumDOPKMQx-iELL11W9s"
	for path, want := range map[string][3]string{
		"/.well-known/jwks.json":             {"keys", "application/json", "300"},
		"/.well-known/crl/" + kid + ".json":  {"crl " + kid, "application/json", ""},
		"/.well-known/jwt-vc-issuer":         {"issuer", "application/json", "86400"},
		"/.well-known/status/0":              {"status 0", "application/statuslist+jwt", "300"},
		"/.well-known/status/17":             {"status 17", "application/statuslist+jwt", "300"},
		"/.well-known/hcert/revocation.json": {"revoked", "application/json", "300"},
		"/.well-known/hcert/signers.pem":     {"signers hcert", "application/pem-certificate-chain", "86400"},
		"/.well-known/vdsnc/signers.pem":     {"signers vdsnc", "application/pem-certificate-chain", "86400"},
	} {
		resp, body := readPublished(t, s.base, path, "")
		h := resp.Header
		if resp.StatusCode != 200 || body != want[0] || h.Get("Content-Type") != want[1] || h.Get("Cache-Control") != kept(want[2]) ||
			h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Etag") == "" {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, h)
		}
		again, body := readPublished(t, s.base, path, h.Get("Etag"))
		if again.StatusCode != http.StatusNotModified || body != "" || again.Header.Get("Cache-Control") != h.Get("Cache-Control") || again.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s again: %d %q %v", path, again.StatusCode, body, again.Header)
		}
		p.version += "1"
		if other, _ := readPublished(t, s.base, path, h.Get("Etag")); other.StatusCode != 200 {
			t.Errorf("%s changed: %d", path, other.StatusCode)
		}
	}
	for _, path := range []string{"/.well-known/crl/none.json", "/.well-known/crl/none", "/.well-known/status/-1", "/.well-known/status/01", "/.well-known/status/x", "/.well-known/status/99999999999", "/.well-known/status/"} {
		if resp, body := readPublished(t, s.base, path, ""); resp.StatusCode != http.StatusNotFound || strings.Contains(resp.Header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
