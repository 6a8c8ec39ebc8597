package fhir_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/payer/fhir"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The seeded numbers: none of them may be found in a log or an error.
const (
	insurer = "990119"
	symbol  = "みな・港12"
	number  = "77310042"
	record  = "019aa34c-2f00-7000-8000-0000000000"
)

var system = actor.System{Name: "worker.payer"}

// bench is a payer before a server that a test scripts.
type bench struct {
	t      *testing.T
	key    *age.X25519Identity
	log    *bytes.Buffer
	now    time.Time
	mu     sync.Mutex
	asked  []json.RawMessage
	auth   []string
	answer http.HandlerFunc
	server *httptest.Server
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, key: key, log: &bytes.Buffer{}, now: storetest.Now()}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/r4/CoverageEligibilityRequest/$submit" || r.Header.Get("Content-Type") != fhir.ContentType {
		b.t.Errorf("request %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	b.mu.Lock()
	b.asked, b.auth = append(b.asked, raw), append(b.auth, r.Header.Get("Authorization"))
	b.mu.Unlock()
	b.answer(w, r)
}

func (b *bench) config() fhir.Config {
	return fhir.Config{
		ID: "kumiai", Name: "みなと健保組合", BaseURL: b.server.URL + "/r4", Key: b.key, Timeout: 5 * time.Second,
		NoneFound: []string{"member-not-found"}, SeveralFound: []string{"members-ambiguous"},
		Now: func() time.Time { return b.now }, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	}
}

func (b *bench) payer(change ...func(*fhir.Config)) *fhir.Payer {
	b.t.Helper()
	c := b.config()
	for _, f := range change {
		f(&c)
	}
	p, err := fhir.New(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func inquiry(n int) eligibility.Inquiry {
	return eligibility.Inquiry{
		RecordID: fmt.Sprintf("%s%02d", record, n), InsurerNumber: insurer, Symbol: symbol, Number: number, Branch: "01",
		BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, VisitDay: civil.Date{Year: 2026, Month: 11, Day: 20},
	}
}

func (b *bench) check(q eligibility.Inquiry) payer.Check {
	b.t.Helper()
	plain, err := json.Marshal(q)
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, b.key.Recipient())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		b.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	return payer.Check{RecordID: q.RecordID, VisitDay: q.VisitDay, Sealed: out.Bytes()}
}

// ask asks about n checks and takes care that nothing of them is told in logs or errors.
func (b *bench) ask(p *fhir.Payer, n int) ([]payer.Finding, error) {
	b.t.Helper()
	var checks []payer.Check
	for i := range n {
		checks = append(checks, b.check(inquiry(i+1)))
	}
	findings, err := p.Answer(b.t.Context(), system, audit.EligibilityAnswer, checks)
	told := b.log.String() + fmt.Sprint(err)
	for _, secret := range []string{insurer, symbol, number, "1980-04-01", "19800401", b.server.URL} {
		if strings.Contains(told, secret) {
			b.t.Errorf("%q was told: %s", secret, told)
		}
	}
	return findings, err
}

func (b *bench) reply(status int, contentType, body string, headers ...string) {
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// response is a whole answer with these further members.
func response(members string) string {
	return `{"resourceType":"CoverageEligibilityResponse","status":"active","purpose":["validation"],"patient":{"reference":"#patient"},` +
		`"created":"2026-11-21T12:00:00+09:00","request":{"identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:` + record + `01"}},` +
		`"insurer":{"display":"x"},` + members + `}`
}

const inside = `"contained":[{"resourceType":"Patient","id":"patient","name":[{"text":"青海 花子"},{"text":"アオミ ハナコ","extension":[{"url":"u","valueCode":"SYL"}]}]},` +
	`{"resourceType":"Coverage","id":"c1","identifier":[{"system":"http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID","value":"00990119:みな・港１２:７７３１００４２:01"}],` +
	`"period":{"start":"2024-04-01"},"payor":[{"display":"みなと市国保"}]},` +
	`{"resourceType":"Coverage","id":"c2","identifier":[{"system":"http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID","value":"06990118:５５:８８４２０１５３:00"}]},` +
	`{"resourceType":"Coverage","id":"c3","identifier":[{"system":"http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID","value":"00990119:みな・港１２:７７３１００４２:"}]}],`

func covers(ref string, more string) string {
	return `{"coverage":{"reference":"` + ref + `"}` + more + `}`
}

// TestTheWordOfTheResponse is the table of what becomes of a payer's outcome.
func TestTheWordOfTheResponse(t *testing.T) {
	for name, c := range map[string]struct {
		members string
		want    eligibility.Validity // "" is waiting
		code    string
	}{
		"complete, in force":            {inside + `"outcome":"complete","insurance":[` + covers("#c1", `,"inforce":true`) + `]`, eligibility.Valid, ""},
		"complete, not in force":        {inside + `"outcome":"complete","insurance":[` + covers("#c1", `,"inforce":false`) + `]`, eligibility.Invalid, ""},
		"another is":                    {inside + `"outcome":"complete","insurance":[` + covers("#c1", `,"inforce":false`) + `,` + covers("#c2", `,"inforce":true`) + `]`, eligibility.NewerCoverage, ""},
		"another is not either":         {inside + `"outcome":"complete","insurance":[` + covers("#c1", `,"inforce":false`) + `,` + covers("#c2", `,"inforce":false`) + `]`, eligibility.Invalid, ""},
		"the asked one among two":       {inside + `"outcome":"complete","insurance":[` + covers("#c2", `,"inforce":false`) + `,` + covers("#c1", `,"inforce":true`) + `]`, eligibility.Valid, ""},
		"two match":                     {inside + `"outcome":"complete","insurance":[` + covers("#c3", `,"inforce":true`) + `,` + covers("#c1", `,"inforce":true`) + `]`, eligibility.SeveralFound, ""},
		"only another":                  {inside + `"outcome":"complete","insurance":[` + covers("#c2", `,"inforce":false`) + `]`, eligibility.CheckFailed, "fhir_other_cover"},
		"only another, in force":        {inside + `"outcome":"complete","insurance":[` + covers("#c2", `,"inforce":true`) + `]`, eligibility.CheckFailed, "fhir_other_cover"},
		"a server's own coverage":       {`"outcome":"complete","insurance":[` + covers("Coverage/9", `,"inforce":true`) + `]`, eligibility.Valid, ""},
		"our own reference":             {`"outcome":"complete","insurance":[` + covers("#coverage", `,"inforce":false`) + `]`, eligibility.Invalid, ""},
		"two unknown ones":              {`"outcome":"complete","insurance":[` + covers("Coverage/8", `,"inforce":false`) + `,` + covers("Coverage/9", `,"inforce":false`) + `]`, eligibility.CheckFailed, "fhir_other_cover"},
		"not said":                      {inside + `"outcome":"complete","insurance":[` + covers("#c1", ``) + `]`, eligibility.CheckFailed, "fhir_no_inforce"},
		"about nothing":                 {`"outcome":"complete"`, eligibility.CheckFailed, "fhir_no_insurance"},
		"partial, in force":             {inside + `"outcome":"partial","insurance":[` + covers("#c1", `,"inforce":true`) + `]`, eligibility.Valid, ""},
		"partial, not said":             {inside + `"outcome":"partial","insurance":[` + covers("#c1", ``) + `]`, eligibility.CheckFailed, "fhir_no_inforce"},
		"partial, errors alone":         {`"outcome":"partial","error":[{"code":{"coding":[{"code":"x-1"}]}}]`, eligibility.CheckFailed, "x-1"},
		"error":                         {`"outcome":"error","error":[{"code":{"coding":[{"code":"a001"}]}}]`, eligibility.CheckFailed, "a001"},
		"error that is not in force":    {inside + `"outcome":"error","error":[{"code":{"coding":[{"code":"a001"}]}}],"insurance":[` + covers("#c1", `,"inforce":false`) + `]`, eligibility.CheckFailed, "a001"},
		"error without a code":          {`"outcome":"error"`, eligibility.CheckFailed, "fhir_error"},
		"error with an odd code":        {`"outcome":"error","error":[{"code":{"coding":[{"code":"記号 ` + number + `"}]}}]`, eligibility.CheckFailed, "fhir_error"},
		"error, member unknown":         {`"outcome":"error","error":[{"code":{"coding":[{"code":"a"}]}},{"code":{"coding":[{"code":"z"},{"code":"member-not-found"}]}}]`, eligibility.NoneFound, ""},
		"error, several members":        {`"outcome":"error","error":[{"code":{"coding":[{"code":"members-ambiguous"}]}}]`, eligibility.SeveralFound, ""},
		"queued":                        {`"outcome":"queued"`, "", ""},
		"queued, in force all the same": {inside + `"outcome":"queued","insurance":[` + covers("#c1", `,"inforce":false`) + `]`, "", ""},
		"unknown outcome":               {`"outcome":"perhaps"`, "", ""},
		"for another day":               {inside + `"servicedDate":"2026-11-21","outcome":"complete","insurance":[` + covers("#c1", `,"inforce":false`) + `]`, "", ""},
		"for our day":                   {inside + `"servicedDate":"2026-11-20","outcome":"complete","insurance":[` + covers("#c1", `,"inforce":false`) + `]`, eligibility.Invalid, ""},
		"null":                          {`"outcome":null`, "", ""},
		"twice":                         {`"outcome":"error","outcome":"complete"`, "", ""},
	} {
		b := newBench(t)
		b.reply(200, fhir.ContentType, response(c.members))
		got, err := b.ask(b.payer(), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := got[0]
		if f.Refused != "" || f.Waiting != (c.want == "") || f.Answer.Validity != c.want || f.Answer.ErrorCode != c.code || len(f.Subjects) != 0 {
			t.Errorf("%s: %q %q, waiting %v, refused %q", name, f.Answer.Validity, f.Answer.ErrorCode, f.Waiting, f.Refused)
		}
		if !f.Waiting && (f.Answer.RecordID != record+"01" || f.Answer.VisitDay != inquiry(1).VisitDay) {
			t.Errorf("%s: the answer is for %s on %s", name, f.Answer.RecordID, f.Answer.VisitDay)
		}
	}
}

func TestWhatAValidAnswerTells(t *testing.T) {
	b := newBench(t)
	b.reply(200, "application/json; charset=utf-8", response(inside+`"outcome":"partial","disposition":"有効\nです","insurance":[`+covers("#c1",
		`,"inforce":true,"benefitPeriod":{"start":"2026-04-01","end":"2027-03-31T23:59:59+09:00"},"item":[{"benefit":[{"type":{"coding":[{"code":"copay-percent"}]},"allowedUnsignedInt":20}]}]`)+`]`))
	got, err := b.ask(b.payer(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := got[0].Answer
	if a.InsurerNumber != insurer || a.Number != number || a.Branch != "01" || a.CopaymentPercent != 20 || a.InsurerName != "みなと市国保" ||
		a.HolderKanji != "青海 花子" || a.HolderKana != "アオミ ハナコ" || a.ValidFrom.String() != "2026-04-01" || a.ValidTo.String() != "2027-03-31" {
		t.Errorf("%s %s %s %d %q %q %q %s %s", a.InsurerNumber, a.Number, a.Branch, a.CopaymentPercent, a.InsurerName, a.HolderKanji, a.HolderKana, a.ValidFrom, a.ValidTo)
	}
	if len(a.Notes) != 2 || a.Notes[1].Text != "有効 です" {
		t.Errorf("notes %v", a.Notes)
	}
}

func TestARequestIsTheSameEachTime(t *testing.T) {
	b := newBench(t)
	b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
	p := b.payer()
	for range 2 {
		if _, err := b.ask(p, 1); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(26 * time.Hour)
	}
	if !bytes.Equal(b.asked[0], b.asked[1]) {
		t.Error("asked again, it is another request")
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b.asked[0], "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	golden := filepath.Join("testdata", "request.json")
	if *update {
		if err := os.WriteFile(golden, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(pretty.Bytes(), want) {
		t.Errorf("the request is not what it was: %v\n%s", err, pretty.Bytes())
	}
	r, err := fhir.Decode[fhir.CoverageEligibilityRequest](b.asked[0])
	if err != nil || r.ServicedDate != "2026-11-20" || strings.HasPrefix(r.Created, "2026-11-20") {
		t.Errorf("day %s, created %s, %v", r.ServicedDate, r.Created, err)
	}
	if !strings.Contains(string(b.asked[0]), `"00990119:みな・港１２:７７３１００４２:01"`) || !strings.Contains(string(b.asked[0]), `"value":"00990119"`) {
		t.Error("the insurer is not padded with zeros")
	}
}

const outcomeOf = `{"resourceType":"OperationOutcome","issue":[{"severity":"%s","code":"%s","diagnostics":"` + number + `"}]}`

// TestServersThatGiveNoWord is the table of what the server does instead of answering.
func TestServersThatGiveNoWord(t *testing.T) {
	oversized := response(`"outcome":"complete","disposition":"` + strings.Repeat("a", fhir.MaxResourceBytes) + `"`)
	for name, c := range map[string]struct {
		status  int
		kind    string
		body    string
		headers []string
		broken  bool
		refused fault.Code
		again   time.Duration
	}{
		"500":                  {500, "text/html", "<html>" + number, nil, true, "", 0},
		"502 with a word":      {502, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "invalid"), nil, true, "", 0},
		"503":                  {503, fhir.ContentType, "{}", nil, true, "", 0},
		"429":                  {429, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "throttled"), nil, true, "", 0},
		"401":                  {401, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "login"), nil, true, "", 0},
		"403":                  {403, "text/plain", "no", nil, true, "", 0},
		"404: another address": {404, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "not-found"), nil, true, "", 0},
		"redirect":             {302, "text/plain", "", []string{"Location", "http://127.0.0.1:1/elsewhere"}, true, "", 0},
		"400 of a proxy":       {400, "text/html", "<html>bad</html>", nil, true, "", 0},
		"400 with an outcome":  {400, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "structure"), nil, false, fault.InvalidArgument, 0},
		"422":                  {422, fhir.ContentType, fmt.Sprintf(outcomeOf, "fatal", "business-rule"), nil, false, fault.InvalidArgument, 0},
		"409":                  {409, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "processing"), nil, false, fault.Conflict, 0},
		"422 duplicate":        {422, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "duplicate"), nil, false, fault.Conflict, 0},
		"422 that passes":      {422, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "timeout"), nil, false, "", 0},
		"422 a warning":        {422, fhir.ContentType, fmt.Sprintf(outcomeOf, "warning", "invalid"), nil, false, "", 0},
		"422 we are refused":   {422, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "forbidden"), nil, true, "", 0},
		"200 with an outcome":  {200, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "value"), nil, false, fault.InvalidArgument, 0},
		"200 that passes":      {200, fhir.ContentType, fmt.Sprintf(outcomeOf, "error", "transient"), []string{"Retry-After", "90"}, false, "", 90 * time.Second},
		"202":                  {202, "text/plain", "", []string{"Retry-After", "120", "Content-Location", "http://elsewhere/"}, false, "", 2 * time.Minute},
		"202 for a year":       {202, "text/plain", "", []string{"Retry-After", "31536000"}, false, "", time.Hour},
		"202 until a date":     {202, "text/plain", "", []string{"Retry-After", "Sat, 21 Nov 2026 09:05:00 GMT"}, false, "", 5 * time.Minute},
		"queued with a time":   {200, fhir.ContentType, response(`"outcome":"queued"`), []string{"Retry-After", "600"}, false, "", 10 * time.Minute},
		"no content":           {204, "", "", nil, true, "", 0},
		"html that says 200":   {200, "text/html", response(`"outcome":"complete"`), nil, false, "", 0},
		"no JSON":              {200, fhir.ContentType, "<xml/>", nil, false, "", 0},
		"cut":                  {200, fhir.ContentType, response(`"outcome":"complete"`)[:120], nil, false, "", 0},
		"too large":            {200, fhir.ContentType, oversized, nil, false, "", 0},
		"another resource":     {200, fhir.ContentType, `{"resourceType":"Patient"}`, nil, false, "", 0},
		"entered in error":     {200, fhir.ContentType, strings.Replace(response(inside+`"outcome":"complete","insurance":[`+covers("#c1", `,"inforce":false`)+`]`), `"active"`, `"entered-in-error"`, 1), nil, false, "", 0},
		"another request":      {200, fhir.ContentType, strings.Replace(response(inside+`"outcome":"complete","insurance":[`+covers("#c1", `,"inforce":false`)+`]`), record+"01", record+"99", 1), nil, false, "", 0},
	} {
		b := newBench(t)
		b.reply(c.status, c.kind, c.body, c.headers...)
		got, err := b.ask(b.payer(), 1)
		if (err != nil) != c.broken || c.broken && fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if c.broken {
			continue
		}
		if f := got[0]; f.Refused != c.refused || f.Waiting != (c.refused == "") || f.Answer.Validity != "" || f.Again != c.again {
			t.Errorf("%s: refused %q, waiting %v, again %v, %q", name, f.Refused, f.Waiting, f.Again, f.Answer.Validity)
		}
	}
}

func TestABusyPayerIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.reply(429, "text/plain", "", "Retry-After", "300")
	p := b.payer()
	if _, err := b.ask(p, 1); fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("error %v", err)
	}
	before := len(b.asked)
	b.now = b.now.Add(299 * time.Second)
	got, err := b.ask(p, 3)
	if err != nil || len(b.asked) != before || !got[2].Waiting || got[2].Again != time.Second {
		t.Errorf("asked %d times more, %+v, %v", len(b.asked)-before, got, err)
	}
	b.now = b.now.Add(2 * time.Second)
	b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
	if _, err := b.ask(p, 1); err != nil || len(b.asked) != before+1 {
		t.Errorf("after its time: asked %d times, %v", len(b.asked)-before, err)
	}
}

func TestWhatWasAnsweredBeforeThePayerBrokeIsKept(t *testing.T) {
	b := newBench(t)
	var n int
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		n++
		mine := n
		body := string(b.asked[0])
		b.mu.Unlock()
		if mine > 1 {
			w.WriteHeader(500)
			return
		}
		id := body[strings.Index(body, record):][:36]
		w.Header().Set("Content-Type", fhir.ContentType)
		_, _ = io.WriteString(w, strings.Replace(response(inside+`"outcome":"complete","insurance":[`+covers("#c1", `,"inforce":true`)+`]`), record+"01", id, 1))
	}
	got, err := b.ask(b.payer(), 9)
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for _, f := range got {
		if f.Waiting {
			if f.Again <= 0 {
				t.Error("a broken payer is to be asked at once")
			}
			continue
		}
		words++
	}
	if words != 1 || len(b.asked) > 1+fhir.AtOnce+1 {
		t.Errorf("%d words, asked %d times", words, len(b.asked))
	}
}

func TestTimeoutsAndTLS(t *testing.T) {
	b := newBench(t)
	held := make(chan struct{})
	b.answer = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-held:
		}
	}
	if _, err := b.ask(b.payer(func(c *fhir.Config) { c.Timeout = 50 * time.Millisecond }), 1); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("silence: %v", err)
	}
	close(held)
	b.server.Close()
	if _, err := b.ask(b.payer(), 1); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	b.server = httptest.NewTLSServer(b)
	t.Cleanup(b.server.Close)
	b.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
	if _, err := b.ask(b.payer(), 1); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.server.Certificate().Raw}))
	if got, err := b.ask(b.payer(func(c *fhir.Config) { c.Roots = pool }), 1); err != nil || !got[0].Waiting {
		t.Errorf("its own root: %v", err)
	}
}

func TestWhatIsAskedGoesNowhereElse(t *testing.T) {
	b := newBench(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 307, 308} {
		b.reply(status, "text/plain", "", "Location", elsewhere.URL+"/r4/CoverageEligibilityRequest/$submit")
		if _, err := b.ask(b.payer(), 1); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestAnEndlessAnswerIsNotReadToItsEnd(t *testing.T) {
	b := newBench(t)
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", fhir.ContentType)
		for chunk := bytes.Repeat([]byte(" "), 32<<10); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	if got, err := b.ask(b.payer(), 1); err != nil || !got[0].Waiting || !strings.Contains(b.log.String(), "too large") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInquiriesThatCannotBeReadAreRefused(t *testing.T) {
	b := newBench(t)
	b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
	other, colon := inquiry(2), inquiry(3)
	colon.Symbol = "A:12"
	checks := []payer.Check{b.check(inquiry(1)), b.check(other), b.check(colon), {RecordID: record + "04", VisitDay: other.VisitDay, Sealed: []byte("x")}}
	checks[1].RecordID = record + "05"
	got, err := b.payer().Answer(t.Context(), system, audit.EligibilityAnswer, checks)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []fault.Code{"", fault.Conflict, fault.InvalidArgument, fault.InvalidArgument} {
		if got[i].Refused != want {
			t.Errorf("check %d: refused %q, want %q", i, got[i].Refused, want)
		}
	}
	if len(b.asked) != 1 {
		t.Errorf("asked %d times", len(b.asked))
	}
}

func TestTokens(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
	p := b.payer(func(c *fhir.Config) { c.Token = fhir.Bearer(file) })
	for _, token := range []string{"first", "second"} {
		write(token)
		if _, err := b.ask(p, 1); err != nil || b.auth[len(b.auth)-1] != "Bearer "+token {
			t.Errorf("%s: sent %q, %v", token, b.auth[len(b.auth)-1], err)
		}
	}
	for _, bad := range []string{"", "two words", strings.Repeat("a", 20<<10)} {
		write(bad)
		before := len(b.asked)
		_, err := b.ask(b.payer(func(c *fhir.Config) { c.Token = fhir.Bearer(file) }), 1)
		if fault.CodeOf(err) != fault.Unavailable || len(b.asked) != before {
			t.Errorf("a file with %d bytes: %v", len(bad), err)
		}
	}
}

// issuer gives tokens by private_key_jwt.
type issuer struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	url    string
	given  int
	life   int
	jtis   []string
	status int
}

func (x *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("scope") != "system/*.read" {
		x.t.Errorf("form %v", r.PostForm)
	}
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(r.PostForm.Get("client_assertion"), &claims, func(*jwt.Token) (any, error) { return &x.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(x.url), jwt.WithIssuer("madoguchi"), jwt.WithSubject("madoguchi"),
		jwt.WithTimeFunc(storetest.Now), jwt.WithExpirationRequired()); err != nil || slices.Contains(x.jtis, claims.ID) {
		x.t.Errorf("assertion: %v, jti %s", err, claims.ID)
	}
	x.jtis = append(x.jtis, claims.ID)
	if x.status != 0 {
		w.WriteHeader(x.status)
		return
	}
	x.given++
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, x.given, x.life)
}

func TestClientCredentials(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), storetest.Rand("client"))
	if err != nil {
		t.Fatal(err)
	}
	x := &issuer{t: t, key: key, life: 300}
	server := httptest.NewServer(x)
	defer server.Close()
	x.url = server.URL + "/token"
	now := storetest.Now()
	source, err := fhir.Credentials{
		TokenURL: x.url, ClientID: "madoguchi", Scope: "system/*.read", Key: key, Now: func() time.Time { return now }, Rand: storetest.Rand("jti"),
	}.Source()
	if err != nil {
		t.Fatal(err)
	}
	get := func(fresh bool, want string) {
		t.Helper()
		if got, err := source(t.Context(), fresh); err != nil || got != want {
			t.Errorf("token %q, want %q: %v", got, want, err)
		}
	}
	get(false, "token-1")
	get(false, "token-1")
	get(true, "token-2")
	x.status = 400
	if _, err := source(t.Context(), true); err == nil || !strings.Contains(err.Error(), "status 400") {
		t.Errorf("refused: %v", err)
	}
	x.status = 0
	get(false, "token-3")

	b := newBench(t)
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-4" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", fhir.ContentType)
		_, _ = io.WriteString(w, response(`"outcome":"queued"`))
	}
	if got, err := b.ask(b.payer(func(c *fhir.Config) { c.Token = source }), 1); err != nil || !got[0].Waiting || len(b.asked) != 2 {
		t.Errorf("a token that ended early: %v, asked %d times", err, len(b.asked))
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(*fhir.Config){
		"id":        func(c *fhir.Config) { c.ID = "Kumiai 1" },
		"the other": func(c *fhir.Config) { c.ID = "registry" },
		"name":      func(c *fhir.Config) { c.Name = "" },
		"base_url":  func(c *fhir.Config) { c.BaseURL = "http://payer.example/r4" },
		"userinfo":  func(c *fhir.Config) { c.BaseURL = "https://a:b@payer.example/r4" },
		"query":     func(c *fhir.Config) { c.BaseURL = "https://payer.example/r4?x=1" },
		"file":      func(c *fhir.Config) { c.BaseURL = "file:///etc" },
		"timeout":   func(c *fhir.Config) { c.Timeout = time.Hour },
		"key":       func(c *fhir.Config) { c.Key = nil },
	} {
		c := b.config()
		change(&c)
		if _, err := fhir.New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	p := b.payer(func(c *fhir.Config) { c.BaseURL = "https://payer.example/r4/" })
	if got := p.Published(); got.ID != "kumiai" || got.Recipient != b.key.Recipient().String() || p.ID() != got.ID {
		t.Errorf("published %+v", got)
	}
}

// FuzzResponse lets the server answer anything: it is a word about our day, or none.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(response(inside + `"outcome":"complete","insurance":[` + covers("#c1", `,"inforce":true`) + `]`)))
	f.Add([]byte(response(`"outcome":"error","error":[{"code":{"coding":[{"code":"a001"}]}}]`)))
	f.Add([]byte(fmt.Sprintf(outcomeOf, "error", "value")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBench(t)
		b.reply(200, fhir.ContentType, string(raw))
		got, err := b.payer().Answer(context.Background(), system, audit.EligibilityAnswer, []payer.Check{b.check(inquiry(1))})
		if err != nil {
			return
		}
		f := got[0]
		if f.Waiting || f.Refused != "" {
			return
		}
		if err := f.Answer.Validate(); err != nil || f.Answer.RecordID != record+"01" {
			t.Fatalf("answer: %v", err)
		}
		if f.Answer.Validity == eligibility.Invalid && !bytes.Contains(raw, []byte(`false`)) {
			t.Fatal("invalid without inforce=false")
		}
	})
}
