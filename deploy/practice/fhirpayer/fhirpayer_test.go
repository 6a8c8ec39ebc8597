package fhirpayer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"madoguchi.example/deploy/practice/coverage"
	"madoguchi.example/deploy/practice/fhirpayer"
)

var update = flag.Bool("update", false, "write the golden files anew")

const residents = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,青海,花子,アオミ,ハナコ,A,H,1980-04-01,2,000-0101,架空県みなと市本町1丁目,2010-04-01
R2,990019,青海,太郎,アオミ,タロウ,A,T,2022-05-05,1,000-0101,架空県みなと市本町2丁目,2022-05-05
R3,990019,青海,次郎,アオミ,ジロウ,A,J,2022-05-05,1,000-0101,架空県みなと市本町2丁目,2022-05-05
`

const lines = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
R1,990019,registry,990119,みなと市国保,みな・港12,77310042,01,2024-04-01,2026-11-30,30,insured
R1,990019,registry,06990118,みなと健保組合,５５,88420153,00,2026-12-01,,30,insured
R2,990019,registry,990119,みなと市国保,みな・港12,77310042,02,2024-04-01,,20,dependant
R3,990019,registry,990119,みなと市国保,みな・港12,77310042,03,2024-04-01,,20,dependant
`

var now = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// request is what the backend writes: its golden file, which shares no code with us.
func request(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "backend", "internal", "payer", "fhir", "testdata", "request.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func server(t *testing.T, change ...func(*fhirpayer.Config)) *fhirpayer.Server {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"residents.csv": residents, "coverage.csv": lines} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	register, err := coverage.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := fhirpayer.Config{Register: register, Now: func() time.Time { return now }}
	for _, f := range change {
		f(&c)
	}
	s, err := fhirpayer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func post(s *fhirpayer.Server, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, fhirpayer.Base+"/CoverageEligibilityRequest/$submit", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/fhir+json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func read(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return doc
}

func replaced(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

// TestWords answers the backend's own request for several days and people; the answers are
// golden files that the backend reads.
func TestWords(t *testing.T) {
	ask := request(t)
	for name, c := range map[string]struct{ doc, outcome string }{
		"valid.json":   {ask, "complete"},
		"newer.json":   {replaced(ask, "2026-11-20", "2026-12-01"), "complete"},
		"invalid.json": {replaced(ask, "2026-11-20", "2020-01-01"), "complete"},
		"none.json":    {replaced(ask, "1980-04-01", "1980-04-02"), "error"},
		"several.json": {replaced(ask, "1980-04-01", "2022-05-05", "７７３１００４２:01", "７７３１００４２:", `"dependent": "01",`, "",
			`,
        {
          "url": "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPersonSubNumber",
          "valueString": "01"
        }`, ""), "error"},
		"queued.json": {ask, "queued"},
	} {
		s := server(t)
		if name == "queued.json" {
			if err := s.Set(fhirpayer.Behaviour{Queued: 1}); err != nil {
				t.Fatal(err)
			}
		}
		w := post(s, c.doc)
		doc := read(t, w)
		if w.Code != http.StatusOK || doc["outcome"] != c.outcome {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		// The day of another question is put back: the backend asks for the first.
		raw := []byte(replaced(w.Body.String(), "2026-12-01\",\"status", "2026-11-20\",\"status", "\"servicedDate\":\"2026-12-01\"", "\"servicedDate\":\"2026-11-20\"",
			"\"servicedDate\":\"2020-01-01\"", "\"servicedDate\":\"2026-11-20\""))
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, bytes.TrimSpace(raw), "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, pretty.Bytes()) {
			t.Errorf("%s is not what it was: %v\n%s", name, err, pretty.Bytes())
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	ask := request(t)
	for name, c := range map[string]struct{ doc, place string }{
		"no JSON":              {"{", "body"},
		"trailing":             {ask + "x", "body"},
		"another type":         {replaced(ask, `"resourceType": "CoverageEligibilityRequest"`, `"resourceType": "Claim"`), "CoverageEligibilityRequest.resourceType"},
		"unknown member":       {replaced(ask, `"created"`, `"note": "x", "created"`), "CoverageEligibilityRequest.note"},
		"insurer with blanks":  {replaced(ask, `"00990119"`, `"  990119"`), "Organization.identifier.value"},
		"insurer of 6":         {replaced(ask, `"00990119"`, `"990119"`), "Organization.identifier.value"},
		"another insurer":      {replaced(ask, `"00990119"`, `"06990118"`), "Coverage.identifier.value"},
		"mixed widths":         {replaced(ask, "みな・港１２:７７３１００４２", "みな・港１２:77310042"), "Coverage.identifier.value"},
		"no last colon":        {replaced(ask, "７７３１００４２:01", "７７３１００４２"), "Coverage.identifier.value"},
		"blank in the symbol":  {replaced(ask, "00990119:みな・港１２", "00990119:みな　港１２"), "Coverage.identifier.value"},
		"number told twice":    {replaced(ask, `"valueString": "７７３１００４２"`, `"valueString": "７７３１００４３"`), "Coverage.extension"},
		"the person's name":    {replaced(ask, `"birthDate"`, `"gender": "female", "birthDate"`), "Patient.gender"},
		"no day":               {replaced(ask, `"servicedDate": "2026-11-20",`, ""), "CoverageEligibilityRequest.servicedDate"},
		"a day that is none":   {replaced(ask, "2026-11-20", "2026-11-31"), "CoverageEligibilityRequest.servicedDate"},
		"no time of its own":   {replaced(ask, `"created": "2025-11-21T07:04:30+09:00",`, ""), "CoverageEligibilityRequest.created"},
		"odd identifier":       {replaced(ask, "urn:uuid:", ""), "CoverageEligibilityRequest.identifier.value"},
		"a person elsewhere":   {replaced(ask, `"reference": "#patient"`, `"reference": "Patient/1"`), "CoverageEligibilityRequest.patient"},
		"not focal":            {replaced(ask, `"focal": true`, `"focal": false`), "CoverageEligibilityRequest.insurance.focal"},
		"birth date elsewhere": {replaced(ask, "1980-04-01", "01.04.1980"), "Patient.birthDate"},
	} {
		s := server(t)
		w := post(s, c.doc)
		doc := read(t, w)
		if w.Code != http.StatusUnprocessableEntity || doc["resourceType"] != "OperationOutcome" || s.State().LastError != c.place {
			t.Errorf("%s: %d at %s", name, w.Code, s.State().LastError)
		}
		if strings.Contains(w.Body.String(), "77310042") || strings.Contains(w.Body.String(), "７７３１") {
			t.Errorf("%s: the answer repeats a number", name)
		}
	}
	if w := post(server(t), ask, "Content-Type", "application/json"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("another content type: %d", w.Code)
	}
}

func TestTheSameIdentifierIsTheSameRequest(t *testing.T) {
	s := server(t)
	ask := request(t)
	if w := post(s, ask); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if w := post(s, ask); w.Code != http.StatusOK {
		t.Error(w.Body)
	}
	if w := post(s, replaced(ask, "2026-11-20", "2026-11-19")); w.Code != http.StatusConflict {
		t.Errorf("another content: %d", w.Code)
	}
}

func TestBehaviours(t *testing.T) {
	ask := request(t)
	for name, c := range map[string]struct {
		b      fhirpayer.Behaviour
		status int
		has    string
	}{
		"busy":      {fhirpayer.Behaviour{Status: 429, RetryAfter: 7}, 429, ""},
		"broken":    {fhirpayer.Behaviour{Status: 500}, 500, ""},
		"issue":     {fhirpayer.Behaviour{Issue: "timeout"}, 422, `"timeout"`},
		"error":     {fhirpayer.Behaviour{Error: "a001"}, 200, `"a001"`},
		"partial":   {fhirpayer.Behaviour{Partial: true}, 200, `"partial"`},
		"other day": {fhirpayer.Behaviour{Broken: "other_day"}, 200, `"2000-01-01"`},
		"html":      {fhirpayer.Behaviour{Broken: "html"}, 200, `<html>`},
		"cut":       {fhirpayer.Behaviour{Broken: "cut"}, 200, `"comp`},
		"other":     {fhirpayer.Behaviour{Broken: "other_type"}, 200, `"resourceType":"Coverage"`},
		"slow":      {fhirpayer.Behaviour{DelayMS: 1}, 200, `"complete"`},
	} {
		s := server(t)
		b := c.b
		b.Times = 1
		if err := s.Set(b); err != nil {
			t.Fatal(err)
		}
		w := post(s, ask)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) || (b.RetryAfter > 0) != (w.Header().Get("Retry-After") == "7") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := post(s, ask); w.Code != http.StatusOK || read(t, w)["outcome"] != "complete" {
			t.Errorf("%s: it does not end", name)
		}
	}
	s := server(t)
	if err := s.Set(fhirpayer.Behaviour{Queued: 2}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"queued", "queued", "complete"} {
		if got := read(t, post(s, ask))["outcome"]; got != want {
			t.Errorf("time %d: %s", i, got)
		}
	}
	if err := s.Set(fhirpayer.Behaviour{Broken: "large"}); err != nil || post(s, ask).Body.Len() < 256<<10 {
		t.Errorf("not large: %v", err)
	}
	if err := s.Set(fhirpayer.Behaviour{Silent: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest(http.MethodPost, fhirpayer.Base+"/CoverageEligibilityRequest/$submit", strings.NewReader(ask)).WithContext(ctx)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Body.Len() != 0 {
		t.Error("silence speaks")
	}
	for _, bad := range []fhirpayer.Behaviour{{DelayMS: -1}, {Status: 200}, {Broken: "leg"}} {
		if s.Set(bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestControl(t *testing.T) {
	s := server(t)
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"set":     {"PUT", "/behaviour", `{"queued":1}`, 200},
		"unknown": {"PUT", "/behaviour", `{"rude":true}`, 400},
		"wrong":   {"PUT", "/behaviour", `{"status":200}`, 422},
		"state":   {"GET", "/state", ``, 200},
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(c.method, fhirpayer.Path+c.path, strings.NewReader(c.body)))
		if w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestARegisteredClientNeedsItsToken(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const audience = "http://127.0.0.1:8070" + fhirpayer.TokenPath
	s := server(t, func(c *fhirpayer.Config) {
		c.Rand = rand.Reader
		c.Client = &fhirpayer.Client{ID: "madoguchi", Audience: audience, Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey}}}}
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	prove := func(change func(*jwt.Claims)) string {
		c := jwt.Claims{Issuer: "madoguchi", Subject: "madoguchi", Audience: jwt.Audience{audience}, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}
		change(&c)
		raw, err := jwt.Signed(signer).Claims(c).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	fetch := func(proof string) (int, string) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {proof}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		r := httptest.NewRequest(http.MethodPost, fhirpayer.TokenPath, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		raw, _ := io.ReadAll(w.Body)
		var told struct {
			Token string `json:"access_token"`
		}
		_ = json.Unmarshal(raw, &told)
		return w.Code, told.Token
	}
	good := prove(func(*jwt.Claims) {})
	code, token := fetch(good)
	if code != http.StatusOK || token == "" {
		t.Fatalf("token: %d", code)
	}
	if code, _ := fetch(good); code != http.StatusBadRequest {
		t.Error("an assertion counts twice")
	}
	for name, change := range map[string]func(*jwt.Claims){
		"another client":   func(c *jwt.Claims) { c.Issuer = "x" },
		"another audience": func(c *jwt.Claims) { c.Audience = jwt.Audience{"http://127.0.0.1/"} },
		"expired":          func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Minute)) },
		"for a day":        func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(24 * time.Hour)) },
		"without id":       func(c *jwt.Claims) { c.ID = "" },
	} {
		if code, _ := fetch(prove(change)); code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, code)
		}
	}
	ask := request(t)
	if w := post(s, ask); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", w.Code)
	}
	if w := post(s, ask, "Authorization", "Bearer "+token); w.Code != http.StatusOK {
		t.Errorf("with its token: %d", w.Code)
	}
}
