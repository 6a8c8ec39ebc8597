package terminal_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

const base = "http://127.0.0.1:8080"

// backend is a strict small backend behind a RoundTripper.
type backend struct {
	body     *spaces // of each answer, where it is set
	t        testing.TB
	now      time.Time
	ahead    time.Duration // of the backend's clock
	told     time.Duration // how far the time in its answers is from that, by the time they are here
	key      *ecdsa.PublicKey
	audience string
	tokens   int
	valid    string                      // the token that is taken
	takes    func(assertion string) bool // in place of what follows from the clock
	seen     []*http.Request
	handle   map[string]func(http.ResponseWriter, *http.Request, []byte)
}

func (b *backend) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil { // a redirected GET has none
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	b.seen = append(b.seen, r)
	w := httptest.NewRecorder()
	w.Header().Set("Date", b.now.Add(b.ahead+b.told).UTC().Format(http.TimeFormat))
	h := b.handle[r.URL.Path]
	switch {
	case r.URL.Path == "/terminal/v1/token":
		b.token(w, body)
	case r.URL.Path == "/terminal/v1/enrol", r.URL.Path == "/terminal/v1/nonce" && h != nil:
		h(w, r, body)
	case r.Header.Get("Authorization") != "Bearer "+b.valid:
		w.WriteHeader(http.StatusUnauthorized)
	case h == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		h(w, r, body)
	}
	answer := w.Result()
	if b.body != nil {
		answer.Body, answer.ContentLength = b.body, -1
	}
	return answer, nil
}

func (b *backend) token(w http.ResponseWriter, body []byte) {
	form, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if form.ParseForm() != nil || form.Form.Get("grant_type") != "client_credentials" {
		b.t.Errorf("the form is %q", body)
	}
	var c jwt.RegisteredClaims
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithAudience(b.audience), jwt.WithIssuer("trm_1"),
		jwt.WithTimeFunc(func() time.Time { return b.now.Add(b.ahead) })).
		ParseWithClaims(form.Form.Get("client_assertion"), &c, func(*jwt.Token) (any, error) { return b.key, nil })
	if b.takes != nil {
		if err = nil; !b.takes(form.Form.Get("client_assertion")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c.Subject, c.ID, c.ExpiresAt = "trm_1", "x", jwt.NewNumericDate(b.now.Add(b.ahead))
	}
	if err != nil || c.Subject != "trm_1" || c.ID == "" || c.ExpiresAt.Sub(b.now.Add(b.ahead)) > 2*time.Minute {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	b.tokens++
	b.valid = fmt.Sprintf("token-%d", b.tokens)
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":600}`, b.valid)
}

func (b *backend) enrol(w http.ResponseWriter, _ *http.Request, body []byte) {
	e, err := wire.DecodeEnrolment(body)
	if err != nil || e.Code != "ABCD-EFGH" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"code":"invalid_argument","title":"x"}`)
		return
	}
	var jwk struct{ Kty, Crv, X, Y string }
	if err := json.Unmarshal(e.PublicKey, &jwk); err != nil || jwk.Kty != "EC" || jwk.Crv != "P-256" {
		b.t.Errorf("the key is %s", e.PublicKey)
	}
	point := []byte{4}
	for _, s := range []string{jwk.X, jwk.Y} {
		part, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(part) != 32 {
			b.t.Errorf("a coordinate is %q", s)
		}
		point = append(point, part...)
	}
	if b.key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
		b.t.Error(err)
	}
	fmt.Fprintf(w, `{"terminal":"trm_1","office":"ofc_1","token_audience":%q,"more":1}`, b.audience)
}

func newBackend(t testing.TB) *backend {
	b := &backend{t: t, now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), audience: "https://madoguchi.example/terminal/v1/token"}
	b.handle = map[string]func(http.ResponseWriter, *http.Request, []byte){"/terminal/v1/enrol": b.enrol}
	return b
}

func (b *backend) options(dir string) terminal.Options {
	return terminal.Options{StateDir: dir, HTTP: b, Now: func() time.Time { return b.now }, Rand: rand.Reader}
}

func enrolled(t *testing.T) (*backend, *terminal.Terminal, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	b, term := enrolledIn(t, dir)
	return b, term, dir
}

func enrolledIn(t testing.TB, dir string) (*backend, *terminal.Terminal) {
	t.Helper()
	b := newBackend(t)
	term, err := terminal.Enrol(t.Context(), base, " ABCD-EFGH\n", b.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	return b, term
}

func TestEnrol(t *testing.T) {
	b, dir := newBackend(t), filepath.Join(t.TempDir(), "state")
	if _, err := terminal.Load(b.options(dir)); !errors.Is(err, terminal.ErrNotEnrolled) {
		t.Errorf("before: got %v", err)
	}
	_, err := terminal.Enrol(t.Context(), base, "WRONG-CODE", b.options(dir))
	if fault.CodeOf(err) != fault.InvalidArgument || strings.Contains(err.Error(), "WRONG") {
		t.Errorf("a wrong code: got %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "terminal.key"))
	if err != nil {
		t.Fatal(err)
	}
	term, err := terminal.Enrol(t.Context(), base, "ABCD-EFGH", b.options(dir))
	if err != nil || term.ID() != "trm_1" || term.State().Office != "ofc_1" {
		t.Fatalf("got %+v, %v", term, err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "terminal.key"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second try made other keys: %v", err)
	}
	if _, err := terminal.Enrol(t.Context(), base, "ABCD-EFGH", b.options(dir)); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("twice: got %v", err)
	}
	for _, name := range []string{"terminal.key", "answers.key", "terminal.json"} {
		i, err := os.Stat(filepath.Join(dir, name))
		if err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, i, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "vault.key")); err == nil {
		t.Error("a key is made that the vault may not want")
	}
	if err := os.Chmod(filepath.Join(dir, "terminal.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := terminal.Load(b.options(dir)); err == nil {
		t.Error("a key that others may read is used")
	}
}

func TestBackendAddresses(t *testing.T) {
	b := newBackend(t)
	for _, bad := range []string{"", "madoguchi.example", "http://madoguchi.example", "ftp://127.0.0.1", "https://u:p@madoguchi.example", "https://madoguchi.example?x=1", "http://127.0.0.1.example"} {
		if _, err := terminal.Enrol(t.Context(), bad, "ABCD-EFGH", b.options(t.TempDir())); fault.PlaceOf(err) != "backend" {
			t.Errorf("%s: got %v", bad, err)
		}
	}
	if len(b.seen) > 0 {
		t.Error("something was sent")
	}
}

func record() wire.Record {
	return wire.Record{
		ID: "0190a000-0000-7000-8000-000000000001", Epoch: "epo_1", Sequence: 1, Kind: wire.KindEligibilityCheck,
		At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Body: json.RawMessage(`{"n":1}`),
	}
}

func TestSendAndAnswers(t *testing.T) {
	b, term, _ := enrolled(t)
	b.handle["/terminal/v1/batches"] = func(w http.ResponseWriter, r *http.Request, body []byte) {
		batch, err := wire.DecodeBatch(body)
		if err != nil || batch.Terminal != "trm_1" || !reflect.DeepEqual(batch.Records, []wire.Record{record()}) || r.Header.Get("Content-Type") != wire.BatchContentType {
			t.Errorf("got %+v, %v", batch, err)
		}
		if got := r.Header.Get(wire.WaitingHeader); got != "8" {
			t.Errorf("%q records are said to wait", got)
		}
		fmt.Fprintf(w, `{"version":0,"results":[{"id":%q,"status":"accepted"}]}`, record().ID)
	}
	receipt, err := term.Send(t.Context(), wire.Batch{Records: []wire.Record{record()}, Behind: 7})
	if err != nil || receipt.Results[0].Status != wire.Accepted {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	b.handle["/terminal/v1/answers"] = func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.URL.RawQuery != "after=7&wait=25" {
			t.Errorf("asked %s", r.URL.RawQuery)
		}
		fmt.Fprint(w, `{"version":0,"cursor":8,"answers":[{"cursor":8,"record_id":"x","sealed":"YQ=="}]}`)
	}
	page, err := term.Answers(t.Context(), 7, 25*time.Second)
	if err != nil || page.Cursor != 8 || len(page.Answers) != 1 {
		t.Fatalf("got %+v, %v", page, err)
	}
	if b.tokens != 1 {
		t.Errorf("%d tokens for two calls", b.tokens)
	}
	b.now = b.now.Add(9*time.Minute + 45*time.Second) // in its last moments the token is not used
	if _, err := term.Answers(t.Context(), 7, 25*time.Second); err != nil || b.tokens != 2 {
		t.Errorf("%d tokens, %v", b.tokens, err)
	}
	b.valid = "another" // the backend forgot the token, as after a change of its keys
	if _, err := term.Answers(t.Context(), 7, 25*time.Second); err != nil || b.tokens != 3 {
		t.Errorf("%d tokens, %v", b.tokens, err)
	}
}

// spaces are an answer's body that does not end, and counts what was read of it.
type spaces struct{ read int }

func (s *spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	if s.read += len(b); s.read > 64<<20 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(b), nil
}

func (s *spaces) Close() error { return nil }

// An answer without an end is not read to its end.
func TestAnswersWithoutAnEnd(t *testing.T) {
	b, term, _ := enrolled(t)
	b.handle["/terminal/v1/batches"] = func(http.ResponseWriter, *http.Request, []byte) { b.body = &spaces{} }
	if _, err := term.Send(t.Context(), wire.Batch{}); fault.CodeOf(err) != fault.TooLarge {
		t.Error(err)
	}
	if b.body.read > 4*wire.MaxReceiptBytes {
		t.Errorf("%d bytes of it were read", b.body.read)
	}
}

// A beat says nothing of what waits behind it, and nobody is sent away for longer than a slot.
func TestBeatsAndLongWaits(t *testing.T) {
	b, term, _ := enrolled(t)
	wait := ""
	b.handle["/terminal/v1/batches"] = func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if got := r.Header.Values(wire.WaitingHeader); len(got) > 0 {
			t.Errorf("a beat says that %v wait", got)
		}
		w.Header().Set("Retry-After", wait)
		w.WriteHeader(http.StatusTooManyRequests)
	}
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "31536000": wire.MaxSlot, "9223372036": wire.MaxSlot, "9223372036854775807": wire.MaxSlot, "-1": 0, "soon": 0,
	} {
		wait = text
		_, err := term.Send(t.Context(), wire.Batch{Behind: 5_000})
		var after interface {
			error
			RetryAfter() time.Duration
		}
		if !errors.As(err, &after) || after.RetryAfter() != want {
			t.Errorf("Retry-After %q: %v", text, err)
		}
	}
}

// A terminal whose clock is wrong still gets a token, by the backend's clock.
func TestWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		b, _, dir := enrolled(t)
		term, err := terminal.Load(b.options(dir)) // as after a start: nothing known of the clock
		if err != nil {
			t.Fatal(err)
		}
		b.ahead = ahead
		b.handle["/terminal/v1/answers"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) { fmt.Fprint(w, `{"cursor":0}`) }
		if _, err := term.Answers(t.Context(), 0, 0); err != nil || term.ClockSkew() != ahead {
			t.Errorf("%v: %v, skew %v", ahead, err, term.ClockSkew())
		}
	}
}

// What tells a wrong time on the way keeps no terminal out whose own clock is right.
func TestAWrongTimeOnTheWay(t *testing.T) {
	b, term, _ := enrolled(t)
	b.handle["/terminal/v1/answers"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) { fmt.Fprint(w, `{"cursor":0}`) }
	for i := range 3 {
		b.told = time.Duration(-9*(i+1)) * 24 * time.Hour
		b.now = b.now.Add(time.Hour) // the token is over
		if _, err := term.Answers(t.Context(), 0, 0); err != nil {
			t.Errorf("token %d: %v", i+1, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	b, term, _ := enrolled(t)
	for _, c := range []struct {
		status int
		body   string
		header string
		code   fault.Code
	}{
		{503, `{"code":"unavailable"}`, "Retry-After: 30", fault.Unavailable},
		{502, `<html>`, "", fault.Unavailable},
		{500, `{"code":"internal"}`, "", fault.Internal},
		{429, ``, "Retry-After: 30", fault.RateLimited},
		{422, `{"code":"invalid_argument","detail":"SECRET"}`, "", fault.InvalidArgument},
		{422, `{"code":"SECRET <b>"}`, "", fault.InvalidArgument},
		{400, ``, "", fault.InvalidArgument},
		{403, ``, "", fault.Forbidden},
		{404, ``, "", fault.NotFound},
		{413, ``, "", fault.TooLarge},
		{302, ``, "Location: http://elsewhere.example/", fault.Unavailable},
		{200, `not json SECRET`, "", fault.InvalidArgument},
		{200, `<html>SECRET`, "Content-Type: text/html; charset=utf-8", fault.Unavailable},
		{403, `<html>SECRET`, "Content-Type: text/html", fault.Unavailable},
		{413, `<html>SECRET`, "Content-Type: text/html", fault.TooLarge},
		{200, strings.Repeat(" ", wire.MaxReceiptBytes+1), "", fault.TooLarge},
	} {
		b.seen = nil
		b.handle["/terminal/v1/batches"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}
		_, err := term.Send(t.Context(), wire.Batch{Records: []wire.Record{record()}})
		if fault.CodeOf(err) != c.code {
			t.Errorf("%d %.20s: got %v", c.status, c.body, err)
		}
		if strings.Contains(fmt.Sprint(err), "SECRET") || strings.Contains(fmt.Sprint(err), "token-") {
			t.Errorf("%d: the error repeats what came: %v", c.status, err)
		}
		var after interface{ RetryAfter() time.Duration }
		if strings.HasPrefix(c.header, "Retry-After") && (!errors.As(err, &after) || after.RetryAfter() != 30*time.Second) {
			t.Errorf("%d: the wait is lost", c.status)
		}
		for _, r := range b.seen {
			if r.URL.Host != "127.0.0.1:8080" {
				t.Errorf("a redirect led to %s", r.URL.Host)
			}
		}
	}
}

func TestRedirectsStayAtHome(t *testing.T) {
	b, term, _ := enrolled(t)
	for location, follows := range map[string]bool{
		"/terminal/v1/other": true, "http://elsewhere.example/": false, "https://127.0.0.1:8080/x": false, "http://127.0.0.1:9/": false,
	} {
		b.seen = nil
		b.handle["/terminal/v1/other"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) { fmt.Fprint(w, `{"cursor":0}`) }
		b.handle["/terminal/v1/answers"] = func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, location, http.StatusFound)
		}
		if _, err := term.Answers(t.Context(), 0, 0); (err == nil) != follows {
			t.Errorf("%s: got %v", location, err)
		}
		for _, r := range b.seen {
			if r.URL.Host != "127.0.0.1:8080" || r.URL.Scheme != "http" {
				t.Errorf("%s was followed", location)
			}
		}
	}
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

func TestUnreachable(t *testing.T) {
	b, _, dir := enrolled(t)
	o := b.options(dir)
	o.HTTP = broken{}
	term, err := terminal.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := term.CanReach(t.Context()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestProfile(t *testing.T) {
	b, term, dir := enrolled(t)
	p := profile.Profile{Schema: 1, Terminal: "trm_1", Class: profile.Clinic, OfficeName: "架空診療所"}
	etag, calls := `"1"`, 0
	b.handle["/terminal/v1/profile"] = func(w http.ResponseWriter, r *http.Request, _ []byte) {
		calls++
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		_ = json.NewEncoder(w).Encode(p)
	}
	if term.Class() != "" {
		t.Error("there is a profile before one was fetched")
	}
	for i, want := range []bool{true, false} {
		if changed, err := term.RefreshProfile(t.Context()); err != nil || changed != want {
			t.Errorf("%d: changed %v, %v", i, changed, err)
		}
	}
	etag, p.Payers = `"2"`, []profile.Payer{{ID: "registry", Recipient: "age1nonsense"}}
	if _, err := term.RefreshProfile(t.Context()); fault.PlaceOf(err) != "profile.payers[0].recipient" || len(term.Profile().Payers) != 0 {
		t.Errorf("a payer that nothing can be sealed to is taken: %v", err)
	}
	etag, p.Payers, p.Terminal = `"3"`, nil, "trm_2"
	if _, err := term.RefreshProfile(t.Context()); err == nil {
		t.Error("another terminal's profile is taken")
	}
	term, err := terminal.Load(b.options(dir))
	if err != nil || term.Profile().OfficeName != "架空診療所" || term.Class() != profile.Clinic {
		t.Errorf("after a start: %+v, %v", term.Profile(), err)
	}
}

func bundle(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range files {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}
		if strings.HasPrefix(text, "->") {
			h = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: text[2:]}
			text = ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTrustBundle(t *testing.T) {
	b, term, dir := enrolled(t)
	if _, err := term.Trust(t.Context()); !errors.Is(err, terminal.ErrNoTrust) || term.TrustDir() != "" {
		t.Errorf("before: got %v", err)
	}
	snapshot := func(day int) string { return fmt.Sprintf(`{"as_of":"2026-11-%02dT00:00:00Z","max_age":"168h"}`, day) }
	var body []byte
	version := 0
	b.handle["/terminal/v1/trust"] = func(w http.ResponseWriter, r *http.Request, _ []byte) {
		etag := fmt.Sprintf("%q", fmt.Sprint(version))
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		_, _ = w.Write(body)
	}
	refresh := func(wantChange, wantErr bool, day int) {
		t.Helper()
		changed, err := term.RefreshTrust(t.Context())
		if changed != wantChange || (err != nil) != wantErr {
			t.Fatalf("version %d: changed %v, %v", version, changed, err)
		}
		s, err := term.Trust(t.Context())
		if err != nil || s.AsOf().Day() != day {
			t.Errorf("version %d: as of %v, %v", version, s.AsOf(), err)
		}
		if _, err := os.Stat(filepath.Join(term.TrustDir(), "snapshot.json")); err != nil {
			t.Error(err)
		}
	}
	body, version = bundle(t, map[string]string{"snapshot.json": snapshot(1), "hcert/a.pem": "x"}), 1
	refresh(true, false, 1)
	refresh(false, false, 1)
	for name, files := range map[string]map[string]string{
		"climbs":     {"snapshot.json": snapshot(9), "../evil": "x"},
		"absolute":   {"snapshot.json": snapshot(9), "/evil": "x"},
		"hidden":     {"snapshot.json": snapshot(9), "shc/.evil": "x"},
		"backslash":  {"snapshot.json": snapshot(9), `shc\evil.json`: "x"},
		"device":     {"snapshot.json": snapshot(9), "hcert/a:b": "x"},
		"link":       {"snapshot.json": snapshot(9), "hcert/l": "->/etc/passwd"},
		"bad layout": {"snapshot.json": `{"as_of":`},
		"ageless":    {"hcert/a.pem": "x"},
		"empty":      {},
		"deep":       {"snapshot.json": snapshot(9), "a/b/c/d/e/f/g": "x"},
	} {
		version++
		body = bundle(t, files)
		t.Log(name)
		refresh(false, true, 1)
	}
	for _, text := range []string{"not a tar at all, but long enough to be looked at", ""} {
		version, body = version+1, []byte(text)
		refresh(false, true, 1)
	}
	for day := 2; day <= 4; day++ {
		version, body = version+1, bundle(t, map[string]string{"snapshot.json": snapshot(day)})
		refresh(true, false, day)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "trust"))
	if err != nil || len(entries) != 3 { // the one in use, the one before, current.json
		t.Errorf("%d entries, %v", len(entries), err)
	}
	term, err = terminal.Load(b.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	refresh(false, false, 4)
	if _, err := os.Stat(filepath.Join(dir, "evil")); err == nil {
		t.Error("a file escaped")
	}
}

func TestSealing(t *testing.T) {
	_, term, _ := enrolled(t)
	sealed, err := terminal.SealTo(term.Recipient(), []byte("answer"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := term.Open(sealed); err != nil || string(got) != "answer" {
		t.Errorf("got %q, %v", got, err)
	}
	sealed[len(sealed)-1] ^= 1
	for name, bad := range map[string][]byte{"changed": sealed, "empty": nil, "large": make([]byte, terminal.MaxSealed+1), "text": []byte("hello")} {
		if _, err := term.Open(bad); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := terminal.SealTo("age1nonsense", nil); err == nil {
		t.Error("a bad recipient is taken")
	}
	if _, err := terminal.SealTo(term.Recipient(), make([]byte, terminal.MaxSealed)); err == nil {
		t.Error("too much is sealed")
	}
}
