package httpapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/golang-jwt/jwt/v5"
	"github.com/klauspost/compress/zstd"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storeauthn "madoguchi.example/backend/internal/store/authn"
	storefleet "madoguchi.example/backend/internal/store/fleet"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

const publicURL = "https://madoguchi.example"

// lockedLog collects a server's log.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type fixedTrust struct{}

func (fixedTrust) TrustBundle(context.Context, actor.Terminal, audit.Purpose) ([]byte, string, error) {
	return []byte("a tar"), "1", nil
}

// face is the terminals' face on a real store and a real listener.
type face struct {
	*running
	db     *store.DB
	fleet  *fleet.Fleet
	intake *intake.Intake
	log    *lockedLog
	key    *ecdsa.PrivateKey
	ids    handle.Source

	mu  sync.Mutex
	now time.Time
}

func (f *face) clock() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now }

func (f *face) pass(d time.Duration) { f.mu.Lock(); defer f.mu.Unlock(); f.now = f.now.Add(d) }

func newFace(t testing.TB) *face { return newFaceOn(t, store.SQLite) }

func newFaceOn(t testing.TB, engine store.Engine) *face {
	t.Helper()
	db := storetest.Open(t, engine)
	f := &face{db: db, log: &lockedLog{}, now: storetest.Now()}
	f.ids = handle.Source{Now: f.clock, Rand: rand.Reader}
	logger := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	record := audit.New(storeaudit.New(db.Reads()), audit.Register(), f.clock, rand.Reader)
	jobs, err := job.Open(db, job.Config{Now: f.clock})
	if err != nil {
		t.Fatal(err)
	}
	payerKey, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	f.fleet = fleet.New(fleet.Deps{
		Runner: db.Runner(), Rows: storefleet.New(db.Reads()), Audit: record, Now: f.clock, Rand: rand.Reader,
		Payers: []profile.Payer{{ID: "registry", Name: "登録簿", Recipient: payerKey.Recipient().String()}},
	})
	f.intake = intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: logger, Now: f.clock, Rand: rand.Reader,
		ServerEpoch: db.ServerEpoch(), Receipts: intake.ReceiptKey{ID: "rcp_1", Private: ed25519.NewKeyFromSeed(make([]byte, 32))},
		Limits: intake.Limits{BacklogAtOnce: 1, BacklogRate: 10},
	})
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tokens, err := authn.NewTokens(publicURL, f.key, nil, f.clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	terminals := authn.NewTerminals(authn.Parts{
		Run: db.Runner(), Rows: storeauthn.New(db.Reads()), Audit: record, Secret: make([]byte, 32), Now: f.clock, Rand: rand.Reader, Log: logger,
	}, tokens, f.fleet, publicURL)
	f.running = serve(t, f.log, func(c *Config) { c.Gate = NewGate(nil, nil, terminals); c.Log = logger }, TerminalRoutes(TerminalDeps{
		Fleet: f.fleet, Intake: f.intake, Tokens: terminals, Trust: fixedTrust{}, Now: f.clock, Log: logger,
	})...)
	loadOffices(t, db, f.fleet)
	return f
}

func loadOffices(t testing.TB, db *store.DB, f *fleet.Fleet) {
	t.Helper()
	const csv = "office_ref,municipality_code,class,name,institution_code\nclinic-1,990019,clinic,みなと内科,0110113719\nward-1,990019,shelter,避難所,\n"
	rep, err := importing.New(db.Runner(), f.Importer()).Import(t.Context(), actor.System{Name: "test"}, []importing.Source{{
		Name: "offices.csv", Size: int64(len(csv)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(csv)), nil },
	}})
	if err != nil || rep.Refused() != 0 {
		t.Fatalf("offices: %+v %v", rep, err)
	}
}

// station is an enrolled terminal with a token.
type station struct {
	face  *face
	id    string
	key   *ecdsa.PrivateKey
	token string
}

func (f *face) enrol(t testing.TB, office string) *station {
	t.Helper()
	code, err := f.fleet.IssueCodeByOperator(t.Context(), actor.System{Name: "test"}, audit.TerminalOperation, "", office)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{face: f}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.Enrolment{Code: code.Reveal(), PublicKey: jwk(t, &s.key.PublicKey), Recipient: identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	var done wire.Enrolled
	f.wantJSON(t, f.send(t, http.MethodPost, "/terminal/v1/enrol", "application/json", body, nil), &done)
	s.id = done.Terminal
	s.token = s.grant(t)
	return s
}

func jwk(t testing.TB, k *ecdsa.PublicKey) json.RawMessage {
	t.Helper()
	point, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return json.RawMessage(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:])))
}

func (s *station) grant(t testing.TB) string {
	t.Helper()
	var granted authn.Granted
	s.face.wantJSON(t, s.askToken(t), &granted)
	return granted.AccessToken
}

func (s *station) askToken(t testing.TB) reply {
	t.Helper()
	now := s.face.clock()
	id, err := s.face.ids.New("jti")
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer: s.id, Subject: s.id, Audience: jwt.ClaimStrings{publicURL + authn.TokenPath}, ID: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	}).SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	return s.face.send(t, http.MethodPost, authn.TokenPath, "application/x-www-form-urlencoded", []byte(form.Encode()), nil)
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (f *face) send(t testing.TB, method, path, contentType string, body []byte, header http.Header) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, b}
}

func (f *face) wantJSON(t testing.TB, r reply, into any) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatal(err)
	}
}

func (s *station) call(t testing.TB, method, path, contentType string, body []byte, more ...string) reply {
	t.Helper()
	h := http.Header{"Authorization": {"Bearer " + s.token}}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return s.face.send(t, method, path, contentType, body, h)
}

func (s *station) verification(t testing.TB, seq uint64) wire.Record {
	t.Helper()
	id, err := s.face.ids.UUID()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.CertificateVerification{Format: "shc", Outcome: "valid", Day: civil.In(s.face.clock())})
	if err != nil {
		t.Fatal(err)
	}
	return wire.Record{ID: id.String(), Epoch: "q1", Sequence: seq, Kind: wire.KindCertificateVerification, At: s.face.clock(), Body: body}
}

func (s *station) encode(t testing.TB, terminal string, records ...wire.Record) []byte {
	t.Helper()
	raw, err := wire.EncodeBatch(wire.Batch{Version: wire.Version, Terminal: terminal, SentAt: s.face.clock(), Records: records})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestATerminalEnrolsSendsAndHears(t *testing.T) {
	f := newFace(t)
	s := f.enrol(t, "clinic-1")

	var p profile.Profile
	first := s.call(t, "GET", "/terminal/v1/profile", "", nil)
	f.wantJSON(t, first, &p)
	if p.Terminal != s.id || p.Validate() != nil || len(p.Payers) != 1 {
		t.Errorf("profile %+v", p)
	}
	for path, etag := range map[string]string{
		"/terminal/v1/profile": first.header.Get("Etag"),
		"/terminal/v1/trust":   s.call(t, "GET", "/terminal/v1/trust", "", nil).header.Get("Etag"),
	} {
		if again := s.call(t, "GET", path, "", nil, "If-None-Match", etag); etag == "" || again.status != http.StatusNotModified || len(again.body) != 0 {
			t.Errorf("%s with etag %q: status %d", path, etag, again.status)
		}
	}

	r := s.verification(t, 1)
	for _, want := range []wire.Status{wire.Accepted, wire.Duplicate} {
		got := s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, s.encode(t, s.id, r))
		receipt, err := wire.DecodeReceipt(got.body)
		if got.status != http.StatusOK || err != nil || len(receipt.Results) != 1 || receipt.Results[0].Status != want {
			t.Errorf("status %d, receipt %+v, error %v; want %s", got.status, receipt, err, want)
		}
	}

	got := make(chan reply, 1)
	go func() { got <- s.call(t, "GET", "/terminal/v1/answers?after=0&wait=20", "", nil) }()
	waitFor(t, func() bool { return f.intake.Waiting() == 1 })
	// The record is of no kind that is answered: closing it moves nothing, and the poll goes on.
	if err := f.intake.Settle(t.Context(), actor.System{}, audit.EligibilityAnswer, s.id,
		[]intake.Settlement{{RecordID: r.ID, Sealed: []byte("x")}}, func(context.Context, tx.Tx, map[string]bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	page, err := wire.DecodeAnswers((<-got).body)
	if err != nil || len(page.Answers) != 0 {
		t.Errorf("the poll ended with %+v, error %v", page, err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the drain took %s", took)
	}
}

// A terminal that is disabled is refused at once with the token that it has, and is told
// so by a code of its own; a poll that waited meanwhile gets nothing either.
func TestADisabledTerminalIsRefusedAtOnce(t *testing.T) {
	f := newFace(t)
	s, calm := f.enrol(t, "clinic-1"), f.enrol(t, "ward-1")
	batch := s.encode(t, s.id, s.verification(t, 1))
	polled := make(chan reply, 1)
	go func() { polled <- s.call(t, "GET", "/terminal/v1/answers?after=0&wait=20", "", nil) }()
	waitFor(t, func() bool { return f.intake.Waiting() == 1 })
	manager := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.TerminalManager}}
	if err := f.fleet.Disable(t.Context(), manager, audit.TerminalOperation, s.id); err != nil {
		t.Fatal(err)
	}
	f.answer(t, s.id)
	if got := <-polled; got.status != http.StatusForbidden || strings.Contains(string(got.body), "sealed") {
		t.Errorf("the poll that waited: status %d: %s", got.status, got.body)
	}
	for name, got := range map[string]reply{
		"batch":   s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, batch),
		"answers": s.call(t, "GET", "/terminal/v1/answers?after=0", "", nil),
		"profile": s.call(t, "GET", "/terminal/v1/profile", "", nil),
		"trust":   s.call(t, "GET", "/terminal/v1/trust", "", nil),
		"token":   s.askToken(t),
	} {
		if got.status != http.StatusForbidden || !strings.Contains(string(got.body), `"forbidden"`) || !strings.Contains(string(got.body), `"terminal"`) {
			t.Errorf("%s: status %d: %s", name, got.status, got.body)
		}
	}
	if got := calm.call(t, "GET", "/terminal/v1/profile", "", nil); got.status != http.StatusOK {
		t.Errorf("the neighbour: status %d", got.status)
	}
	stranger := &station{face: f, id: s.id, key: calm.key}
	if got := stranger.askToken(t); got.status != http.StatusUnauthorized {
		t.Errorf("somebody else learns that the terminal is disabled: status %d: %s", got.status, got.body)
	}
}

// answer puts a sealed answer where the terminal finds it.
func (f *face) answer(t *testing.T, terminal string) {
	t.Helper()
	rows := storeintake.New(f.db.Reads())
	if err := f.db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		return rows.AppendAnswers(ctx, x, terminal, []wire.Answer{{RecordID: "01a", Sealed: []byte("sealed")}}, f.clock())
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.intake.Settle(t.Context(), actor.System{}, audit.EligibilityAnswer, terminal, nil,
		func(context.Context, tx.Tx, map[string]bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it never came true")
		}
	}
}

const secret = "seeded-secret-33120015"

func TestHostileInputIsNamedAndNotRepeated(t *testing.T) {
	f := newFace(t)
	s := f.enrol(t, "clinic-1")
	good := s.encode(t, s.id, s.verification(t, 1))
	bomb := s.encode(t, s.id, s.verification(t, 1))[:0]
	bomb = append(bomb, zstdOf(t, bytes.Repeat([]byte(" "), 8<<20))...)
	for name, c := range map[string]struct {
		method, path, contentType string
		body                      []byte
		anonymous                 bool
		status                    int
	}{
		"no token":            {"POST", "/terminal/v1/batches", wire.BatchContentType, good, true, 401},
		"no token, answers":   {"GET", "/terminal/v1/answers", "", nil, true, 401},
		"wrong type":          {"POST", "/terminal/v1/batches", "application/" + secret, good, false, 415},
		"no type":             {"POST", "/terminal/v1/batches", "", good, false, 415},
		"cut off":             {"POST", "/terminal/v1/batches", wire.BatchContentType, good[:len(good)-4], false, 422},
		"not zstd":            {"POST", "/terminal/v1/batches", wire.BatchContentType, []byte(secret), false, 422},
		"empty":               {"POST", "/terminal/v1/batches", wire.BatchContentType, nil, false, 422},
		"oversized":           {"POST", "/terminal/v1/batches", wire.BatchContentType, bytes.Repeat([]byte("a"), wire.MaxCompressedBatch+1), false, 413},
		"unpacks to too much": {"POST", "/terminal/v1/batches", wire.BatchContentType, bomb, false, 413},
		"not JSON inside":     {"POST", "/terminal/v1/batches", wire.BatchContentType, zstdOf(t, []byte(secret)), false, 422},
		"unknown member":      {"POST", "/terminal/v1/batches", wire.BatchContentType, zstdOf(t, []byte(`{"`+secret+`":1}`)), false, 422},
		"another's batch":     {"POST", "/terminal/v1/batches", wire.BatchContentType, s.encode(t, "trm_"+strings.ReplaceAll(secret, "-", ""), s.verification(t, 1)), false, 403},
		"bad cursor":          {"GET", "/terminal/v1/answers?after=" + secret, "", nil, false, 422},
		"negative cursor":     {"GET", "/terminal/v1/answers?after=-1", "", nil, false, 422},
		"huge cursor":         {"GET", "/terminal/v1/answers?after=18446744073709551615", "", nil, false, 422},
		"cursor twice":        {"GET", "/terminal/v1/answers?after=1&after=2", "", nil, false, 422},
		"unknown query":       {"GET", "/terminal/v1/answers?" + secret + "=1", "", nil, false, 422},
		"huge wait":           {"GET", "/terminal/v1/answers?wait=99999999999", "", nil, false, 422},
		"enrol, no JSON":      {"POST", "/terminal/v1/enrol", "application/json", []byte(secret), true, 422},
		"enrol, wrong type":   {"POST", "/terminal/v1/enrol", "text/plain", []byte(`{}`), true, 415},
		"enrol, oversized":    {"POST", "/terminal/v1/enrol", "application/json", bytes.Repeat([]byte(" "), wire.MaxEnrolmentBytes+1), true, 413},
		"enrol, wrong code":   {"POST", "/terminal/v1/enrol", "application/json", enrolment(t, s, secret), true, 401},
		"enrol, odd key":      {"POST", "/terminal/v1/enrol", "application/json", []byte(`{"code":"x","public_key":"` + secret + `","recipient":"age1"}`), true, 422},
		"token, JSON":         {"POST", "/terminal/v1/token", "application/json", []byte(`{"` + secret + `":1}`), true, 415},
		"token, empty":        {"POST", "/terminal/v1/token", "application/x-www-form-urlencoded", nil, true, 422},
		"profile, other verb": {"DELETE", "/terminal/v1/profile", "", nil, false, 405},
		"path below":          {"GET", "/terminal/v1/" + secret, "", nil, false, 404},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if !c.anonymous {
				h.Set("Authorization", "Bearer "+s.token)
			}
			got := f.send(t, c.method, c.path, c.contentType, c.body, h)
			if got.status != c.status {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			if strings.Contains(string(got.body)+fmt.Sprint(got.header), "33120015") {
				t.Errorf("the answer repeats the input: %s", got.body)
			}
		})
	}
	if strings.Contains(f.log.String(), "33120015") {
		t.Error("the log repeats an input")
	}
	if strings.Contains(f.log.String(), s.token) {
		t.Error("the log holds a token")
	}
}

func enrolment(t *testing.T, s *station, code string) []byte {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(wire.Enrolment{Code: code, PublicKey: jwk(t, &s.key.PublicKey), Recipient: identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATerminalThatAsksTooOftenWaits(t *testing.T) {
	f := newFace(t)
	busy, calm := f.enrol(t, "clinic-1"), f.enrol(t, "ward-1")
	for i := range terminalBurst {
		if got := busy.call(t, "GET", "/terminal/v1/profile", "", nil); got.status != http.StatusOK {
			t.Fatalf("request %d: status %d", i, got.status)
		}
	}
	if got := busy.call(t, "GET", "/terminal/v1/profile", "", nil); got.status != http.StatusTooManyRequests {
		t.Errorf("past the burst: status %d", got.status)
	}
	if got := calm.call(t, "GET", "/terminal/v1/profile", "", nil); got.status != http.StatusOK {
		t.Errorf("the neighbour: status %d", got.status)
	}
	f.pass(terminalRefill)
	if got := busy.call(t, "GET", "/terminal/v1/profile", "", nil); got.status != http.StatusOK {
		t.Errorf("after a while: status %d", got.status)
	}
}

func TestTheLimiterKeepsItsWordInAFlood(t *testing.T) {
	now := storetest.Now()
	const most = 50
	l := newLimiter(2, time.Second, most, func() time.Time { return now })
	for range 2 {
		if err := l.take("greedy"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range most - 1 {
		if err := l.take(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	through := 0
	for i := range 20 * most {
		if l.take(fmt.Sprint("stranger ", i)) == nil {
			through++
		}
	}
	if n := len(l.young) + len(l.old); through != 2 || n > most {
		t.Errorf("%d strangers came through, %d callers are kept", through, n)
	}
	if err := l.take("greedy"); fault.CodeOf(err) != fault.RateLimited {
		t.Errorf("the flood freed one who was over the limit: %v", err)
	}
	if err := l.take("7"); err != nil {
		t.Errorf("the flood stopped one who was known: %v", err)
	}
	now = now.Add(time.Second) // half of a while: one request each
	if l.take("greedy") != nil || l.take("greedy") == nil {
		t.Error("a second gives one request")
	}
	now = now.Add(time.Hour)
	for i := range most {
		if err := l.take(fmt.Sprint("later ", i)); err != nil {
			t.Fatalf("caller %d after all buckets are full: %v", i, err)
		}
	}
}

func TestAddressesAreLimitedEachAndTogether(t *testing.T) {
	now := storetest.Now()
	l := newPublicLimiter(2, time.Second, 5, time.Second, func() time.Time { return now })
	through := func(address string, times int) (n int) {
		for range times {
			if l.take(netip.MustParseAddr(address)) == nil {
				n++
			}
		}
		return n
	}
	for i, c := range []struct {
		address string
		want    int
	}{
		{"192.0.2.1", 2}, {"::ffff:192.0.2.1", 0}, {"2001:db8::1", 2}, {"2001:db8::2:1", 0}, {"2001:db8:0:1::1", 1}, {"192.0.2.9", 0},
	} {
		if got := through(c.address, 3); got != c.want {
			t.Errorf("%d, %s: %d requests, want %d", i, c.address, got, c.want)
		}
	}
}

func zstdOf(t *testing.T, plain []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	return enc.EncodeAll(plain, nil)
}
