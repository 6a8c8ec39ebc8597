package app_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

// The person whom no log may name.
const (
	secretKana    = "ケンサクタロウ"
	secretKanji   = "検索太郎兵衛"
	secretNumber  = "8866442X"
	secretSymbol  = "検査Ｑ７"
	secretInsurer = "33120015"
	secretBirth   = "1961-07-29"
	secretText    = "hostile-7f3a"
	secretPIN     = "74402580"
)

// secrets are all forms that the person's data takes on its way, long enough not to stand
// in a time or an id by chance.
var secrets = []string{
	secretKana, secretKanji, secretNumber, secretSymbol, "検査", secretInsurer, "33120016", secretBirth, "S36.7.29",
	secretText, secretPIN, "123456789018", "insurer-name-at-home",
}

// office is a small backend with a payer, over a real listener. What it says to a record is
// the test's to choose.
type office struct {
	*httptest.Server
	t         *testing.T
	payer     *age.X25519Identity
	mu        sync.Mutex
	recipient string
	seen      []wire.Record
	answers   []wire.Answer
	news      chan struct{}
	say       func(n int, r wire.Record) (wire.Status, *eligibility.Answer) // n counts from 0
	trouble   int                                                           // so many batches get an odd answer first
}

func newOffice(t *testing.T) *office {
	t.Helper()
	payer, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, payer: payer, news: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /terminal/v1/enrol", o.enrol)
	mux.HandleFunc("POST /terminal/v1/token", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"access_token": "token-" + secretText, "token_type": "Bearer", "expires_in": 600})
	})
	mux.HandleFunc("GET /terminal/v1/profile", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, profile.Profile{
			Schema: 1, Terminal: "trm_1", Class: profile.Clinic, Office: "off_1", OfficeName: "架空診療所", AnswerTimeoutMS: 10_000,
			Payers:          []profile.Payer{{ID: "registry", Name: "insurer-name-at-home", Recipient: payer.Recipient().String()}},
			ExportRecipient: payer.Recipient().String(),
		})
	})
	mux.HandleFunc("GET /terminal/v1/trust", func(w http.ResponseWriter, _ *http.Request) {
		text := []byte(`{"as_of":"` + time.Now().UTC().Format(time.RFC3339) + `","max_age":"168h"}`)
		out := tar.NewWriter(w)
		_ = out.WriteHeader(&tar.Header{Name: "snapshot.json", Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})
		_, _ = out.Write(text)
		_ = out.Close()
	})
	mux.HandleFunc("POST /terminal/v1/batches", o.batch)
	mux.HandleFunc("GET /terminal/v1/answers", o.poll)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (o *office) enrol(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e, err := wire.DecodeEnrolment(body)
	if err != nil {
		o.t.Error(err)
	}
	o.recipient = e.Recipient
	reply(w, wire.Enrolled{Terminal: "trm_1", Office: "off_1"})
}

// batch takes records, after the odd answers that a line may give.
func (o *office) batch(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.trouble > 0 {
		o.trouble--
		odd := []func(){
			func() { w.WriteHeader(http.StatusInternalServerError); _, _ = io.WriteString(w, secretText) },
			func() { w.Header().Set("Content-Type", "text/html"); _, _ = io.WriteString(w, "<html>"+secretText) },
			func() { _, _ = io.WriteString(w, `{"results":"`+secretText+`"}`) },
			func() {
				w.WriteHeader(http.StatusUnprocessableEntity)
				_, _ = io.WriteString(w, `{"code":"invalid_argument","detail":"`+secretKanji+`"}`)
			},
		}
		odd[o.trouble%len(odd)]()
		return
	}
	b, err := wire.DecodeBatch(body)
	if err != nil {
		o.t.Error(err)
	}
	receipt := wire.Receipt{ServerEpoch: "e1", ServerTime: time.Now()}
	for _, one := range b.Records {
		receipt.Results = append(receipt.Results, o.take(one))
	}
	reply(w, receipt)
	close(o.news)
	o.news = make(chan struct{})
}

// heard waits for the next batch, at most a second.
func (o *office) heard() {
	o.mu.Lock()
	news := o.news
	o.mu.Unlock()
	select {
	case <-news:
	case <-time.After(time.Second):
	}
}

func (o *office) take(r wire.Record) wire.Result {
	n := len(o.seen)
	o.seen = append(o.seen, r)
	res := wire.Result{ID: r.ID, Status: wire.Accepted}
	if r.Kind != wire.KindEligibilityCheck || o.say == nil {
		return res
	}
	var answer *eligibility.Answer
	if res.Status, answer = o.say(n, r); answer == nil {
		return res
	}
	sealed := []byte(secretKanji + " " + secretNumber) // what nobody sealed
	if answer.Validity != "" {
		q := o.inquiry(r)
		answer.RecordID, answer.VisitDay, answer.InsurerNumber, answer.Number = r.ID, q.VisitDay, q.InsurerNumber, q.Number
		plain, err := answer.Encode()
		if err != nil {
			o.t.Error(err)
		}
		if sealed, err = terminal.SealTo(o.recipient, plain); err != nil {
			o.t.Error(err)
		}
	}
	o.answers = append(o.answers, wire.Answer{Cursor: uint64(len(o.answers) + 1), RecordID: r.ID, Sealed: sealed})
	return res
}

func (o *office) inquiry(r wire.Record) eligibility.Inquiry {
	body, err := wire.DecodeEligibilityCheck(r.Body)
	if err != nil {
		o.t.Error(err)
	}
	in, err := age.Decrypt(bytes.NewReader(body.Sealed), o.payer)
	if err != nil {
		o.t.Error(err)
		return eligibility.Inquiry{}
	}
	plain, _ := io.ReadAll(in)
	q, err := eligibility.ParseInquiry(plain)
	if err != nil || q.Number != strings.ToUpper(secretNumber) {
		o.t.Errorf("the payer cannot read the inquiry: %v", err)
	}
	return q
}

func (o *office) poll(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	o.mu.Lock()
	news, page := o.news, wire.Answers{Cursor: uint64(after)}
	if after < len(o.answers) {
		page.Answers, page.Cursor = o.answers[after:], uint64(len(o.answers))
	}
	o.mu.Unlock()
	if len(page.Answers) == 0 && wait > 0 {
		select {
		case <-news:
		case <-r.Context().Done():
		}
	}
	reply(w, page)
}
