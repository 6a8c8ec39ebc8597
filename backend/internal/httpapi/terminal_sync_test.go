package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/bulk"
	storefleet "madoguchi.example/backend/internal/store/fleet"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

// jws signs claims as this terminal does.
func (s *station) jws(t testing.TB, typ string, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["typ"] = typ
	signed, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestATerminalWithAWrongClockGetsItsTokenByANonce(t *testing.T) {
	f := newFace(t)
	s := f.enrol(t, "clinic-1")
	ask := func(nonce string) int {
		id, err := f.ids.New("jti")
		if err != nil {
			t.Fatal(err)
		}
		wrong := f.clock().AddDate(-3, 0, 0)
		assertion := s.jws(t, "JWT", jwt.MapClaims{
			"iss": s.id, "sub": s.id, "aud": publicURL + authn.TokenPath, "jti": id, "nonce": nonce, "iat": wrong.Unix(), "exp": wrong.Unix() + 60,
		})
		form := url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		return f.send(t, http.MethodPost, authn.TokenPath, "application/x-www-form-urlencoded", []byte(form.Encode()), nil).status
	}
	var n wire.Nonce
	f.wantJSON(t, f.send(t, http.MethodGet, "/terminal/v1/nonce", "", nil, nil), &n)
	if !n.ServerTime.Equal(f.clock()) || ask(n.Nonce) != http.StatusOK {
		t.Errorf("nonce %+v", n)
	}
	if got := ask(n.Nonce); got != http.StatusUnauthorized {
		t.Errorf("the nonce again: status %d", got)
	}
	for range nonceBurst - 1 {
		f.send(t, http.MethodGet, "/terminal/v1/nonce", "", nil, nil)
	}
	if got := f.send(t, http.MethodGet, "/terminal/v1/nonce", "", nil, nil); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("past the burst: status %d", got.status)
	}
}

func TestABeatBringsTheTerminalsHealth(t *testing.T) {
	f := newFace(t)
	s, other := f.enrol(t, "clinic-1"), f.enrol(t, "ward-1")
	rows := storefleet.New(f.db.Reads())
	health := wire.Health{Terminal: s.id, At: f.clock(), Version: "1.0.0", KeyClass: "tpm2", Pending: 3, OldestAt: f.clock().Add(-time.Hour)}
	beat := func(by *station, typ string, h wire.Health) {
		t.Helper()
		payload, err := wire.EncodeHealth(h)
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.MapClaims
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		raw, err := wire.EncodeBatch(wire.Batch{Version: 1, Terminal: s.id, SentAt: f.clock(), Epoch: "q1", Health: by.jws(t, typ, claims)})
		if err != nil {
			t.Fatal(err)
		}
		got := s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, raw)
		receipt, err := wire.DecodeReceipt(got.body)
		if got.status != http.StatusOK || err != nil || len(receipt.Marks) != 1 || receipt.Marks[0].Head != wire.Genesis(s.id, "q1") {
			t.Errorf("a beat: status %d, %+v, %v", got.status, receipt, err)
		}
	}
	kept := func() (int, time.Time) {
		t.Helper()
		all, err := rows.Health(t.Context(), []string{s.id, other.id})
		if err != nil || len(all) > 1 {
			t.Fatalf("%d healths, %v", len(all), err)
		}
		return all[s.id].Pending, all[s.id].ReceivedAt
	}
	beat(other, wire.HealthType, health)
	beat(s, "JWT", health)
	theirs := health
	theirs.Terminal = other.id
	beat(s, wire.HealthType, theirs)
	if n, at := kept(); n != 0 || !at.IsZero() {
		t.Fatalf("a health of another or of another kind was kept: %d", n)
	}
	beat(s, wire.HealthType, health)
	if n, at := kept(); n != 3 || !at.Equal(f.clock()) {
		t.Errorf("kept %d of %s", n, at)
	}
	first := f.clock()
	f.pass(30 * time.Second)
	health.Pending = 4
	beat(s, wire.HealthType, health)
	if n, at := kept(); n != 3 || !at.Equal(first) {
		t.Errorf("within a minute: %d of %s", n, at)
	}
	health.KeyClass = "key_file"
	beat(s, wire.HealthType, health)
	if n, at := kept(); n != 4 || !at.Equal(f.clock()) {
		t.Errorf("with another word: %d of %s", n, at)
	}
	f.pass(time.Minute)
	health.Pending = 0
	beat(s, wire.HealthType, health)
	if n, at := kept(); n != 0 || !at.Equal(f.clock()) {
		t.Errorf("after a minute: %d of %s", n, at)
	}
	f.pass(time.Minute)
	health.Pending = 7
	before := f.clock()
	payload, err := wire.EncodeHealth(health)
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.MapClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	raw, err := wire.EncodeBatch(wire.Batch{
		Version: 1, Terminal: s.id, SentAt: before, Epoch: "q1", ServerEpoch: "epo_before", Health: s.jws(t, wire.HealthType, claims),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, raw)
	if n, at := kept(); n != 0 || at.Equal(before) {
		t.Errorf("of a terminal that does not know of a restore: %d of %s", n, at)
	}
	silence, err := f.fleet.Silence(t.Context())
	if err != nil || silence.InUse != 2 || silence.Silent != 1 || silence.Pending != 0 { // the other one never called
		t.Errorf("%+v, %v", silence, err)
	}
}

// Whoever guesses codes is stopped before a code is looked at.
func TestEnrolmentsOfOneAddressAreLimited(t *testing.T) {
	f := newFace(t)
	for n := range enrolBurst + 1 {
		got := f.send(t, http.MethodPost, "/terminal/v1/enrol", "application/json", []byte(`{}`), nil)
		if limited := got.status == http.StatusTooManyRequests; limited != (n == enrolBurst) {
			t.Errorf("try %d: status %d", n, got.status)
		}
	}
}

// A terminal whose backlog has to wait is told its own time.
func TestARefusedBacklogHasItsSlotInTheHeader(t *testing.T) {
	f := newFace(t)
	s := f.enrol(t, "clinic-1")
	s.call(t, "GET", "/terminal/v1/profile", "", nil) // its contact is written down now
	hold, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() { // the store is busy, so that one batch stays inside
		done <- f.db.Runner().Do(context.Background(), func(context.Context, tx.Tx) error {
			close(hold)
			<-release
			return nil
		})
	}()
	<-hold
	head := wire.Genesis(s.id, "q1")
	send := func(seq uint64, behind int) reply {
		r := s.verification(t, seq)
		r.Prev = head
		raw, err := wire.EncodeBatch(wire.Batch{Version: 1, Terminal: s.id, SentAt: f.clock(), Records: []wire.Record{r}, Behind: behind})
		if err != nil {
			t.Fatal(err)
		}
		return s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, raw)
	}
	first := make(chan reply, 1)
	go func() { first <- send(1, 100) }()
	waitFor(t, func() bool { return f.intake.Stats().Inside["backlog"] == 1 })
	got := send(1, 4_000_000)
	seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
	if got.status != http.StatusTooManyRequests || err != nil || seconds < 2 || !strings.Contains(string(got.body), "rate_limited") {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	// Where the header says it already, the batch is not read: this one could not be.
	bomb := bytes.Repeat([]byte{0xff}, wire.MaxCompressedBatch)
	early := s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, bomb, wire.WaitingHeader, "5000")
	if seconds, err := strconv.Atoi(early.header.Get("Retry-After")); early.status != http.StatusTooManyRequests || err != nil || seconds < 2 {
		t.Errorf("an announced backlog: status %d, Retry-After %q", early.status, early.header.Get("Retry-After"))
	}
	for _, waiting := range []string{"16", "-5", "many", "99999999999999999999"} {
		if got := s.call(t, "POST", "/terminal/v1/batches", wire.BatchContentType, bomb, wire.WaitingHeader, waiting); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s announced: status %d", waiting, got.status)
		}
	}
	close(release)
	if r := <-first; r.status != http.StatusOK || <-done != nil {
		t.Errorf("the batch inside: status %d", r.status)
	}
	if stats := f.intake.Stats(); stats.Refused["backlog"] != 2 || stats.Batches["backlog"] != 1 || stats.Waiting != 100 {
		t.Errorf("%+v", stats)
	}
}

// loopbackRecords is the backlog of BenchmarkSyncLoopback.
const loopbackRecords = 100_000

// BenchmarkSyncLoopback sends 100,000 records over a loopback connection through the routes,
// with a token, as a terminal does (compressed, chained, 200 a batch, one batch after the
// other), and stores the same rows by a bare multi-row insert, as package bulk does it, in
// transactions of the same size into the same store. It reports both rates, their ratio and
// the bytes of a record on the wire. The bare insert comes first and leaves the larger
// tables to the sync.
func BenchmarkSyncLoopback(b *testing.B) {
	for _, engine := range storetest.Engines {
		b.Run(string(engine), func(b *testing.B) { benchmarkLoopback(b, engine) })
	}
}

func benchmarkLoopback(b *testing.B, engine store.Engine) {
	var sync, bare time.Duration
	size := 0
	for range b.N {
		f := newFaceOn(b, engine)
		s := f.enrol(b, "clinic-1")
		batches, rows := s.load(b)
		began := time.Now()
		for _, part := range rows {
			if err := f.db.Runner().Do(b.Context(), func(ctx context.Context, t tx.Tx) error {
				_, err := bulk.Insert(ctx, sqltx.Of(t), "intake_record", loopbackColumns, part)
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
		bare += time.Since(began)
		began = time.Now()
		for _, raw := range batches {
			size += len(raw)
			got := s.call(b, http.MethodPost, "/terminal/v1/batches", wire.BatchContentType, raw)
			receipt, err := wire.DecodeReceipt(got.body)
			if err != nil || len(receipt.Results) == 0 || receipt.Results[0].Status != wire.Accepted {
				b.Fatalf("status %d: %s", got.status, got.body)
			}
			f.pass(terminalRefill)
		}
		sync += time.Since(began)
	}
	total := float64(loopbackRecords * b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total/bare.Seconds(), "bare-records/s")
	b.ReportMetric(total/sync.Seconds(), "sync-records/s")
	b.ReportMetric(bare.Seconds()/sync.Seconds(), "sync/bare")
	b.ReportMetric(float64(size)/total, "wire-bytes/record")
}

var loopbackColumns = []string{
	"terminal_id", "record_id", "batch_id", "epoch", "seq", "kind", "at", "body", "digest", "received_at", "state", "code", "about", "due_at",
}

// load makes the terminal's batches, and the same records as rows of another.
func (s *station) load(b *testing.B) (batches [][]byte, rows [][][]any) {
	b.Helper()
	check := s.check(b)
	random := storetest.Rand(b.Name())
	head := wire.Genesis(s.id, "q1")
	for seq := uint64(0); seq < loopbackRecords; {
		var records []wire.Record
		var part [][]any
		for range wire.MaxBatchRecords {
			seq++
			r := s.verification(b, seq)
			r.Kind, r.Body, r.Prev = wire.KindEligibilityCheck, another(b, check, random), head
			head = wire.After(r)
			digest := wire.Digest(r)
			records = append(records, r)
			part = append(part, []any{
				"trm_bare", r.ID, "bat_bare", r.Epoch, int64(r.Sequence), string(r.Kind), sqltx.Micros(r.At), []byte(r.Body), digest[:],
				sqltx.Micros(r.At), "open", "", "", sqltx.Micros(r.At),
			})
		}
		raw, err := wire.EncodeBatch(wire.Batch{
			Version: wire.Version, Terminal: s.id, SentAt: s.face.clock(), Records: records, Epoch: "q1",
			ServerEpoch: s.face.db.ServerEpoch(), Behind: loopbackRecords - int(seq),
		})
		if err != nil {
			b.Fatal(err)
		}
		batches, rows = append(batches, raw), append(rows, part)
	}
	return batches, rows
}

// sealedBytes is how much of a check's sealed question differs from record to record.
const sealedBytes = 200

// another gives the check with another sealed question, which does not compress either.
func another(t testing.TB, c wire.EligibilityCheck, random io.Reader) []byte {
	t.Helper()
	c.Sealed = bytes.Clone(c.Sealed)
	if _, err := io.ReadFull(random, c.Sealed[len(c.Sealed)-sealedBytes:]); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// check is an insurance check with its sealed question.
func (s *station) check(t testing.TB) wire.EligibilityCheck {
	t.Helper()
	payer, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, payer.Recipient())
	if err == nil {
		_, err = w.Write(make([]byte, sealedBytes))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return wire.EligibilityCheck{
		Payer: "registry", VisitDay: civil.In(s.face.clock()), Cause: string(eligibility.CauseLineBefore),
		Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", ElapsedMS: 3, Sealed: sealed.Bytes(),
	}
}
