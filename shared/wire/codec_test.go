package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var at = time.Date(2026, 11, 21, 1, 2, 3, 456789000, time.UTC)

func record(n int) wire.Record {
	return wire.Record{
		ID: fmt.Sprintf("0190a000-0000-7000-8000-%012d", n), Epoch: "epo_1", Sequence: uint64(n), Kind: wire.KindEligibilityCheck, At: at,
		Body: json.RawMessage(`{"payer":"registry","visit_day":"2026-11-21","cause":"line_down","evidence":"certificate","operator":"<op&1>","elapsed_ms":12,"sealed":"YWdl"}`),
	}
}

func batch(n int) wire.Batch {
	b := wire.Batch{
		Version: wire.Version, Terminal: "trm_1", SentAt: at, ServerEpoch: "epo_2", Epoch: "epo_1", Behind: 3,
		Clock: wire.Clock{Boot: "b0", MonotonicMS: 12, OffsetMS: -34, Trusted: true}, Health: "e30.e30.c2ln",
	}
	b.Records = chained("trm_1", records(n)...)
	return b
}

func records(n int) []wire.Record {
	var all []wire.Record
	for i := range n {
		all = append(all, record(i+1))
	}
	return all
}

// chained fills in Prev; a record after a gap goes on from the one before it all the same.
func chained(terminal string, all ...wire.Record) []wire.Record {
	for i := range all {
		if i == 0 || all[i].Epoch != all[i-1].Epoch {
			all[i].Prev = wire.Genesis(terminal, all[i].Epoch)
		} else {
			all[i].Prev = wire.After(all[i-1])
		}
	}
	return all
}

// oldBatch is one of version 0.
func oldBatch(n int) wire.Batch {
	return wire.Batch{Version: 0, Terminal: "trm_1", SentAt: at, Records: records(n)}
}

func TestBatchRoundTrip(t *testing.T) {
	for name, b := range map[string]wire.Batch{
		"a beat": batch(0), "one": batch(1), "full": batch(wire.MaxBatchRecords), "old": oldBatch(3),
		"before the chain": {Version: wire.Version, Terminal: "trm_1", SentAt: at, Records: records(2)},
	} {
		was := slices.Clone(b.Records)
		packed, err := wire.EncodeBatch(b)
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(b.Records, was) {
			t.Errorf("%s: EncodeBatch changed its argument", name)
		}
		got, err := wire.DecodeBatch(packed)
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("%s: %v\n%+v", name, err, got)
		}
	}
}

// A full batch by the budget that Peek uses must always fit, whatever the bodies are.
func TestBudgetFits(t *testing.T) {
	long := strings.Repeat("e", 64)
	b := wire.Batch{
		Version: wire.Version, Terminal: "trm_" + strings.Repeat("0", 26), SentAt: at, ServerEpoch: long, Epoch: long,
		Behind: wire.MaxBehind, Clock: wire.Clock{Boot: long, MonotonicMS: 1 << 62, OffsetMS: -wire.MaxOffsetMS, Trusted: true},
		Health: strings.Repeat("a", wire.MaxHealthBytes-4) + ".b.c",
	}
	left := wire.BatchBudget
	for i := 1; ; i++ {
		r := record(i)
		r.Epoch, r.Kind, r.Sequence = long, wire.Kind(strings.Repeat("k", 64)), 1<<62+uint64(2*i)
		r.Prev = wire.Genesis("trm_1", long) // with gaps, so that each travels
		r.Body = json.RawMessage(`"` + strings.Repeat("<", wire.MaxRecordBytes-2) + `"`)
		if left -= len(r.Body) + wire.RecordOverhead; left < 0 {
			break
		}
		b.Records = append(b.Records, r)
	}
	if _, err := wire.EncodeBatch(b); err != nil {
		t.Fatal(err)
	}
}

func TestBodyBytesSurvive(t *testing.T) {
	b := batch(1)
	b.Records[0].Body = json.RawMessage("{\"a\":\"<&>\u2028é\",\"b\":1.50,\"c\":\"\\u0041\\/\"}")
	packed, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeBatch(packed)
	if err != nil || !bytes.Equal(got.Records[0].Body, b.Records[0].Body) {
		t.Fatalf("got %s, %v", got.Records[0].Body, err)
	}
	if wire.Digest(got.Records[0]) != wire.Digest(b.Records[0]) {
		t.Error("the digest changed on the way")
	}
}

func TestBatchRefusals(t *testing.T) {
	for place, change := range map[string]func(*wire.Batch){
		"version":            func(b *wire.Batch) { b.Version = 9 },
		"terminal":           func(b *wire.Batch) { b.Terminal = "" },
		"records":            func(b *wire.Batch) { *b = oldBatch(0) },
		"server_epoch":       func(b *wire.Batch) { b.ServerEpoch = "A b" },
		"epoch":              func(b *wire.Batch) { b.Epoch = strings.Repeat("e", 65) },
		"behind":             func(b *wire.Batch) { b.Behind = -1 },
		"health":             func(b *wire.Batch) { b.Health = "a.b" },
		"clock.boot":         func(b *wire.Batch) { b.Clock.Boot = "A" },
		"clock.monotonic_ms": func(b *wire.Batch) { b.Clock.MonotonicMS = -1 },
		"clock.offset_ms":    func(b *wire.Batch) { b.Clock.OffsetMS = wire.MaxOffsetMS + 1 },
		"records[1].prev":    func(b *wire.Batch) { b.Records[1].Prev[0]++ },
		"records[1].id":      func(b *wire.Batch) { b.Records[1].ID = b.Records[0].ID },
		"records[0].id":      func(b *wire.Batch) { b.Records[0].ID = strings.ToUpper(b.Records[0].ID) + "x" },
		"records[1].seq":     func(b *wire.Batch) { b.Records[1].Sequence = 1 },
		"records[0].seq":     func(b *wire.Batch) { b.Records[0].Sequence = 0 },
		"records[0].kind":    func(b *wire.Batch) { b.Records[0].Kind = "A b" },
		"records[0].at":      func(b *wire.Batch) { b.Records[0].At = time.Time{} },
		"records[0].body":    func(b *wire.Batch) { b.Records[0].Body = json.RawMessage(`{`) },
	} {
		b := batch(2)
		change(&b)
		if _, err := wire.EncodeBatch(b); fault.PlaceOf(err) != place {
			t.Errorf("%s: got %v", place, err)
		}
	}
	far := batch(1)
	far.Behind = wire.MaxBehind + 1
	if _, err := wire.EncodeBatch(far); fault.PlaceOf(err) != "behind" {
		t.Errorf("more behind than can be: got %v", err)
	}
	large := batch(1)
	large.Records[0].Body = json.RawMessage(`"` + strings.Repeat("a", wire.MaxRecordBytes) + `"`)
	if _, err := wire.EncodeBatch(large); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("a large body: got %v", err)
	}
	signed := batch(1)
	signed.Health = strings.Repeat("a", wire.MaxHealthBytes-3) + ".b.c"
	if _, err := wire.EncodeBatch(signed); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("a large health summary: got %v", err)
	}
	many := batch(wire.MaxBatchRecords + 1)
	if _, err := wire.EncodeBatch(many); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("many records: got %v", err)
	}
}

func pack(t testing.TB, plain []byte) []byte {
	t.Helper()
	w, err := packer()
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(plain, nil)
}

var packer = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10))
})

func TestDecodeBatchRefusesBadBytes(t *testing.T) {
	plain, err := json.Marshal(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	good := pack(t, plain)
	if _, err := wire.DecodeBatch(good); err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) []byte { return pack(t, []byte(strings.Replace(string(plain), old, new, 1))) }
	if _, err := wire.DecodeBatch(store(plain)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   []byte
		code fault.Code
	}{
		"not zstd":         {plain, fault.InvalidArgument},
		"empty":            {nil, fault.InvalidArgument},
		"truncated":        {good[:len(good)-3], fault.InvalidArgument},
		"trailing stream":  {append(bytes.Clone(good), good...), fault.InvalidArgument},
		"unknown member":   {with(`{`, `{"x":1,`), fault.InvalidArgument},
		"doubled member":   {with(`{`, `{"terminal":"trm_2",`), fault.InvalidArgument},
		"spelling":         {with(`"terminal"`, `"Terminal"`), fault.InvalidArgument},
		"wrong type":       {with(`"seq":1`, `"seq":"1"`), fault.InvalidArgument},
		"negative":         {with(`"seq":1`, `"seq":-1`), fault.InvalidArgument},
		"bomb":             {pack(t, bytes.Repeat([]byte(" "), 100<<20)), fault.TooLarge},
		"just over":        {pack(t, append(bytes.Repeat([]byte(" "), wire.MaxBatchBytes), plain...)), fault.TooLarge},
		"compressed large": {make([]byte, wire.MaxCompressedBatch+1), fault.TooLarge},
	} {
		if _, err := wire.DecodeBatch(c.in); fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Nothing that is unpacked takes more memory than a batch may have, in however many streams,
// and whatever it says of its own length.
func TestABombIsNotUnpacked(t *testing.T) {
	if _, err := wire.DecodeBatch(pack(t, nil)); err == nil { // makes the decoder
		t.Error("nothing is a batch")
	}
	one := pack(t, bytes.Repeat([]byte(" "), wire.MaxBatchBytes-1))
	unsaid := pack(t, bytes.Repeat([]byte(" "), 4<<20))
	var open bytes.Buffer // a stream that does not say how long it is
	w, err := zstd.NewWriter(&open, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Write(bytes.Repeat([]byte(" "), 4<<20)); err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, bomb := range map[string][]byte{
		"many streams": bytes.Repeat(one, wire.MaxCompressedBatch/len(one)), "one that says so": unsaid, "one that does not": open.Bytes(),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := wire.DecodeBatch(bomb)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; fault.CodeOf(err) != fault.TooLarge || taken > 8*wire.MaxBatchBytes {
			t.Errorf("%s: %d bytes become %d, %v", name, len(bomb), taken, err)
		}
	}
}

func TestDigestNamesEveryMember(t *testing.T) {
	base := wire.Digest(record(1))
	for name, change := range map[string]func(*wire.Record){
		"id":    func(r *wire.Record) { r.ID = record(2).ID },
		"epoch": func(r *wire.Record) { r.Epoch = "epo_2" },
		"seq":   func(r *wire.Record) { r.Sequence = 2 },
		"kind":  func(r *wire.Record) { r.Kind = "x" },
		"at":    func(r *wire.Record) { r.At = r.At.Add(time.Microsecond) },
		"body":  func(r *wire.Record) { r.Body = json.RawMessage(`{}`) },
	} {
		r := record(1)
		change(&r)
		if wire.Digest(r) == base {
			t.Errorf("%s does not matter", name)
		}
	}
	same := record(1)
	same.At = same.At.In(civil.Japan).Add(time.Nanosecond)
	same.Body = append(json.RawMessage(" "), same.Body...)
	if wire.Digest(same) != base {
		t.Error("the same record has two digests")
	}
}

func TestTolerantReaders(t *testing.T) {
	r, err := wire.DecodeReceipt([]byte(`{"version":0,"server_epoch":"a","server_time":"2026-11-21T00:00:00Z","new":1,"retry_after_ms":-5,"results":[{"id":"1","status":"accepted","more":{}},{"id":"2","status":"postponed"}]}`))
	if err != nil || r.Results[0].Status != wire.Accepted || r.Results[1].Status != wire.Retry || r.RetryAfterMS != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	for name, in := range map[string]string{
		"going back": `{"cursor":5,"answers":[{"cursor":3},{"cursor":3}]}`,
		"beyond":     `{"cursor":2,"answers":[{"cursor":3}]}`,
		"zero":       `{"cursor":2,"answers":[{"cursor":0}]}`,
		"trailing":   `{"cursor":2} x`,
		"malformed":  `{"cursor":`,
	} {
		if _, err := wire.DecodeAnswers([]byte(in)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	full := wire.Answers{Cursor: wire.MaxAnswers}
	for i := range wire.MaxAnswers {
		full.Answers = append(full.Answers, wire.Answer{Cursor: uint64(i + 1), RecordID: record(i + 1).ID, Sealed: make([]byte, wire.MaxAnswerBytes)})
	}
	b, err := wire.EncodeAnswers(full)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wire.DecodeAnswers(b); err != nil || len(got.Answers) != wire.MaxAnswers {
		t.Errorf("the largest page does not fit: %v", err)
	}
}

func TestBodies(t *testing.T) {
	if c, err := wire.DecodeEligibilityCheck(record(1).Body); err != nil || c.Payer != "registry" || string(c.Sealed) != "age" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, bad := range []string{`{}`, `{"payer":"registry","visit_day":"2026-11-21","number":"1234567"}`, `[]`, `{"payer":"registry","visit_day":"21.11.2026","sealed":"YQ=="}`} {
		if _, err := wire.DecodeEligibilityCheck([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	if _, err := wire.DecodeCertificateVerification([]byte(`{"format":"shc","outcome":"valid","day":"2026-11-21"}`)); err != nil {
		t.Error(err)
	}
	if _, err := wire.DecodeCertificateVerification([]byte(`{"format":"shc","outcome":"valid","day":"2026-11-21","id":"x"}`)); err == nil {
		t.Error("a certificate id is accepted")
	}
	if _, err := wire.DecodeEnrolment([]byte(`{"code":"ABCD","public_key":{"kty":"EC","crv":"P-256","x":"a","y":"b"},"recipient":"age1"}`)); err != nil {
		t.Error(err)
	}
}

var (
	terminalCheck = wire.EligibilityCheck{
		Route: wire.RouteTerminal, VisitDay: civil.In(at), Cause: "none", Evidence: "certificate", Operator: "op_1", ElapsedMS: 12,
		Amends: record(1).ID,
	}
	outcome = wire.EligibilityOutcome{
		Of: record(1).ID, VisitDay: civil.In(at), Validity: "newer_coverage", Cause: "line_before", WaitedMS: 9_000_000, Differing: true,
	}
	amendment = wire.EligibilityAmendment{Of: record(1).ID, By: record(2).ID, Reason: "wrong_patient", Operator: "op_1"}
)

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOnlyAPayersCheckWantsAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		kind wire.Kind
		body string
		want bool
	}{
		"payer by default": {wire.KindEligibilityCheck, string(record(1).Body), true},
		"payer by name":    {wire.KindEligibilityCheck, `{"route":"payer","payer":"registry"}`, true},
		"terminal":         {wire.KindEligibilityCheck, string(encode(t, terminalCheck)), false},
		"outcome":          {wire.KindEligibilityOutcome, string(encode(t, outcome)), false},
		"amendment":        {wire.KindEligibilityAmendment, string(encode(t, amendment)), false},
		"verification":     {wire.KindCertificateVerification, `{}`, false},
	} {
		r := wire.Record{Kind: c.kind, Body: json.RawMessage(c.body)}
		if r.WantsAnswer() != c.want {
			t.Errorf("%s: wants an answer: %v", name, r.WantsAnswer())
		}
	}
}

func TestBodiesOfTheClinicsOwnTerminal(t *testing.T) {
	if got, err := wire.DecodeEligibilityCheck(encode(t, terminalCheck)); err != nil || !reflect.DeepEqual(got, terminalCheck) {
		t.Errorf("check: got %+v, %v", got, err)
	}
	for name, change := range map[string]func(*wire.EligibilityCheck){
		"body.route":     func(c *wire.EligibilityCheck) { c.Route = "fax" },
		"body.payer":     func(c *wire.EligibilityCheck) { c.Payer = "registry" },
		"body.visit_day": func(c *wire.EligibilityCheck) { c.VisitDay = civil.Date{} },
		"body.amends":    func(c *wire.EligibilityCheck) { c.Amends = "33120015" },
		"body":           func(c *wire.EligibilityCheck) { c.Operator = strings.Repeat("a", 65) },
	} {
		c := terminalCheck
		change(&c)
		if _, err := wire.DecodeEligibilityCheck(encode(t, c)); fault.PlaceOf(err) != name {
			t.Errorf("check with another %s: %v", name, err)
		}
	}
	sealed := terminalCheck
	sealed.Sealed = []byte("age")
	if _, err := wire.DecodeEligibilityCheck(encode(t, sealed)); err == nil {
		t.Error("numbers for a terminal that are sealed to a payer are accepted")
	}
}

func TestOutcomes(t *testing.T) {
	if got, err := wire.DecodeEligibilityOutcome(encode(t, outcome)); err != nil || got != outcome {
		t.Errorf("got %+v, %v", got, err)
	}
	for i, c := range []struct {
		place  string
		change func(*wire.EligibilityOutcome)
	}{
		{"body.of", func(o *wire.EligibilityOutcome) { o.Of = "" }},
		{"body.of", func(o *wire.EligibilityOutcome) { o.Of = "12345678" }},
		{"body.visit_day", func(o *wire.EligibilityOutcome) { o.VisitDay = civil.Date{} }},
		{"body", func(o *wire.EligibilityOutcome) { o.Validity = "" }},
		{"body", func(o *wire.EligibilityOutcome) { o.Validity = strings.Repeat("v", 65) }},
		{"body", func(o *wire.EligibilityOutcome) { o.Cause = strings.Repeat("c", 65) }},
		{"body.waited_ms", func(o *wire.EligibilityOutcome) { o.WaitedMS = -1 }},
	} {
		o := outcome
		c.change(&o)
		if _, err := wire.DecodeEligibilityOutcome(encode(t, o)); fault.PlaceOf(err) != c.place {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for _, bad := range []string{``, `[]`, `{"of":1}`, strings.Replace(string(encode(t, outcome)), `{`, `{"number":"1234567",`, 1)} {
		if _, err := wire.DecodeEligibilityOutcome([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestAmendments(t *testing.T) {
	void := amendment
	void.By = ""
	for _, a := range []wire.EligibilityAmendment{amendment, void} {
		if got, err := wire.DecodeEligibilityAmendment(encode(t, a)); err != nil || got != a {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	for i, c := range []struct {
		place  string
		change func(*wire.EligibilityAmendment)
	}{
		{"body.of", func(a *wire.EligibilityAmendment) { a.Of = "" }},
		{"body.of", func(a *wire.EligibilityAmendment) { a.Of = strings.ToUpper(a.Of) + "A" }},
		{"body.by", func(a *wire.EligibilityAmendment) { a.By = "x" }},
		{"body.by", func(a *wire.EligibilityAmendment) { a.By = a.Of }},
		{"body.reason", func(a *wire.EligibilityAmendment) { a.Reason = "" }},
		{"body.reason", func(a *wire.EligibilityAmendment) { a.Operator = strings.Repeat("o", 65) }},
	} {
		a := amendment
		c.change(&a)
		if _, err := wire.DecodeEligibilityAmendment(encode(t, a)); fault.PlaceOf(err) != c.place {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for _, bad := range []string{`null x`, `{"of":{}}`, strings.Replace(string(encode(t, amendment)), `{`, `{"patient":"x",`, 1)} {
		if _, err := wire.DecodeEligibilityAmendment([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// FuzzBodies looks at the bodies of the clinic's own terminal: what is accepted is
// well-formed and is the same when it is written and read again.
func FuzzBodies(f *testing.F) {
	f.Add(encode(f, terminalCheck))
	f.Add(encode(f, outcome))
	f.Add(encode(f, amendment))
	f.Add([]byte(record(1).Body))
	f.Fuzz(func(t *testing.T, in []byte) {
		if o, err := wire.DecodeEligibilityOutcome(in); err == nil {
			if got, err := wire.DecodeEligibilityOutcome(encode(t, o)); err != nil || got != o || o.WaitedMS < 0 || o.VisitDay.IsZero() {
				t.Fatalf("outcome: %v", err)
			}
		}
		if a, err := wire.DecodeEligibilityAmendment(in); err == nil {
			if got, err := wire.DecodeEligibilityAmendment(encode(t, a)); err != nil || got != a || a.By == a.Of {
				t.Fatalf("amendment: %v", err)
			}
		}
		if c, err := wire.DecodeEligibilityCheck(in); err == nil {
			r := wire.Record{Kind: wire.KindEligibilityCheck, Body: in}
			if got, err := wire.DecodeEligibilityCheck(encode(t, c)); err != nil || !reflect.DeepEqual(got, c) || r.WantsAnswer() != (len(c.Sealed) > 0) {
				t.Fatalf("check: %v", err)
			}
		}
	})
}

func TestGolden(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	mark := wire.Mark{Epoch: "epo_1", Through: 2, Head: wire.After(batch(2).Records[1]), Key: "rk_1"}
	mark.Signature = wire.SignMark(key, "trm_1", "epo_2", mark)
	receipt := wire.Receipt{Version: wire.Version, ServerEpoch: "epo_2", ServerTime: at, RetryAfterMS: 1500, Results: []wire.Result{
		{ID: record(1).ID, Status: wire.Accepted}, {ID: record(2).ID, Status: wire.Rejected, Code: string(fault.InvalidArgument)},
	}, Marks: []wire.Mark{mark}}
	gap := batch(3)
	gap.Records = append(gap.Records[:1], gap.Records[2], moved(record(4), "epo_2", 1))
	gap.Records[2].Prev = wire.Genesis("trm_1", "epo_2")
	answers := wire.Answers{Cursor: 8, Answers: []wire.Answer{{Cursor: 7, RecordID: record(1).ID, Sealed: []byte("age")}}}
	digest := wire.Digest(record(1))
	for name, v := range map[string]any{
		"batch.json": travelling(t, batch(2)), "batch_gap.json": travelling(t, gap), "beat.json": travelling(t, batch(0)),
		"receipt.json": receipt, "answers.json": answers, "health.json": health(),
		"nonce.json":          wire.Nonce{Nonce: "bm9uY2U", ServerTime: at},
		"enrolment.json":      wire.Enrolment{Code: "ABCD-EFGH", PublicKey: json.RawMessage(`{"kty":"EC"}`), Recipient: "age1x"},
		"enrolled.json":       wire.Enrolled{Terminal: "trm_1", Office: "ofc_1", TokenAudience: "https://madoguchi.example/terminal/v1/token"},
		"digest.json":         hex.EncodeToString(digest[:]),
		"check_terminal.json": terminalCheck, "outcome.json": outcome, "amendment.json": amendment,
	} {
		got, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append(got, '\n'), want) {
			t.Errorf("%s is not what it was:\n%s", name, got)
		}
	}
}

func moved(r wire.Record, epoch string, seq uint64) wire.Record {
	r.Epoch, r.Sequence = epoch, seq
	return r
}

// travelling gives the JSON that EncodeBatch packs.
func travelling(t *testing.T, b wire.Batch) json.RawMessage {
	t.Helper()
	packed, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plain, err := r.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// What agents of version 0 write and read is understood as it was.
func TestOldGolden(t *testing.T) {
	plain, err := os.ReadFile(filepath.Join("testdata", "v0", "batch.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeBatch(pack(t, plain))
	if err != nil || len(got.Records) != 2 || got.Version != 0 {
		t.Fatalf("batch: %v\n%+v", err, got)
	}
	for i, r := range got.Records {
		// The file is indented, and its bodies are written otherwise than agents do.
		want := oldBatch(2).Records[i]
		body, err := wire.DecodeEligibilityCheck(r.Body)
		if err != nil || body.Operator != "<op&1>" {
			t.Errorf("body %d: %+v, %v", i, body, err)
		}
		r.Body = want.Body
		if !reflect.DeepEqual(r, want) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	receipt, err := os.ReadFile(filepath.Join("testdata", "v0", "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := wire.DecodeReceipt(receipt); err != nil || len(r.Results) != 2 || r.Marks != nil {
		t.Errorf("receipt: %v\n%+v", err, r)
	}
	for name, change := range map[string]func(*wire.Batch){
		"server epoch": func(b *wire.Batch) { b.ServerEpoch = "epo_1" }, "epoch": func(b *wire.Batch) { b.Epoch = "epo_1" },
		"behind": func(b *wire.Batch) { b.Behind = 1 }, "clock": func(b *wire.Batch) { b.Clock.Trusted = true },
		"health": func(b *wire.Batch) { b.Health = "a.b.c" }, "chain": func(b *wire.Batch) { b.Records = chained("trm_1", b.Records...) },
	} {
		b := oldBatch(2)
		change(&b)
		if _, err := wire.EncodeBatch(b); fault.PlaceOf(err) != "version" {
			t.Errorf("version 0 with %s: %v", name, err)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	good, err := wire.EncodeBatch(batch(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	old, err := wire.EncodeBatch(oldBatch(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	f.Add(pack(f, []byte(`{"version":1,"terminal":"trm_1","sent_at":"2026-11-21T00:00:00Z","records":[]}`)))
	f.Add(pack(f, []byte(`{"version":0,"terminal":"trm_1","records":[]}`)))
	f.Fuzz(func(t *testing.T, in []byte) { again(t, in) })
}

// FuzzDecodeBatchJSON packs the input itself, to get past the compression.
func FuzzDecodeBatchJSON(f *testing.F) {
	plain, err := json.Marshal(batch(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Fuzz(func(t *testing.T, in []byte) { again(t, store(in)) })
}

// store makes a zstd stream without compression (RFC 8878 section 3.1.1): one segment,
// raw blocks.
func store(in []byte) []byte {
	const block = 64 << 10
	out := binary.LittleEndian.AppendUint32([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0}, uint32(len(in)))
	for first := true; first || len(in) > 0; first = false {
		part := in[:min(block, len(in))]
		in = in[len(part):]
		head := uint32(len(part)) << 3
		if len(in) == 0 {
			head |= 1
		}
		out = append(append(out, byte(head), byte(head>>8), byte(head>>16)), part...)
	}
	return out
}

func again(t *testing.T, packed []byte) {
	b, err := wire.DecodeBatch(packed)
	if err != nil {
		return
	}
	out, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatalf("accepted what cannot be written: %v", err)
	}
	got, err := wire.DecodeBatch(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Records {
		if wire.Digest(b.Records[i]) != wire.Digest(got.Records[i]) || b.Records[i].Prev != got.Records[i].Prev {
			t.Fatal("a record changed on the way")
		}
	}
}

func FuzzTerminalReaders(f *testing.F) {
	f.Add([]byte(`{"version":0,"results":[{"id":"1","status":"accepted"}]}`))
	f.Add([]byte(`{"cursor":5,"answers":[{"cursor":3,"record_id":"x","sealed":"YQ=="}]}`))
	f.Add([]byte(`{"code":"x","public_key":{},"recipient":"age1"}`))
	f.Add([]byte(`{"format":"shc","outcome":"valid","day":"2026-11-21"}`))
	f.Fuzz(func(_ *testing.T, in []byte) {
		_, _ = wire.DecodeReceipt(in)
		_, _ = wire.DecodeNonce(in)
		_, _ = wire.DecodeAnswers(in)
		_, _ = wire.DecodeEnrolled(in)
		_, _ = wire.DecodeEnrolment(in)
		_, _ = wire.DecodeEligibilityCheck(in)
		_, _ = wire.DecodeCertificateVerification(in)
	})
}
