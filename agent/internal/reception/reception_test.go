package reception_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/rehearsal"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

var noon = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// desk is a scripted desk: what is under test is what the pages show of it. What it does not
// script, a desk for practising does.
type desk struct {
	reception.Desk
	mu       sync.Mutex
	entries  []check.Entry
	doubts   []check.Doubt
	err      error
	cases    []check.View
	verified []string
	closed   []string
	lost     bool // rows can not be read
}

func (d *desk) Record(_ context.Context, e check.Entry) (casebook.Case, []check.Doubt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, e)
	if d.err != nil || (len(d.doubts) > 0 && !e.Override) {
		return casebook.Case{}, d.doubts, d.err
	}
	return d.cases[0].Case, nil, nil
}

func (d *desk) RecordVerification(_ context.Context, format, outcome string) error {
	d.verified = append(d.verified, format+"/"+outcome)
	return nil
}

func (d *desk) CloseTask(_ context.Context, id, operator string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = append(d.closed, id+"/"+operator)
	return nil
}

func (d *desk) closedCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.closed)
}

func (d *desk) Case(_ context.Context, id string) (check.View, error) {
	for _, v := range d.cases {
		if v.RecordID == id && !d.lost {
			return v, nil
		}
	}
	return check.View{}, fault.New(fault.NotFound, "there is no such case")
}

func (d *desk) Today(context.Context) ([]check.View, int, error) { return d.cases, 7, nil }

func (d *desk) Watch() (<-chan struct{}, func()) { return make(chan struct{}), func() {} }

// reader is a scripted verifier.
type reader struct {
	verdict  cert.Verdict
	read, of int
	got      []byte
	asOf     time.Time
	clock    clockfloor.Reading
	fetched  []string
}

func (r *reader) Fetch(_ context.Context, link []byte, passcode string) cert.Verdict {
	r.fetched = append(r.fetched, string(link)+" "+passcode)
	return r.verdict
}

func (r *reader) Clock() clockfloor.Reading {
	if r.clock.At.IsZero() {
		return clockfloor.Reading{At: noon}
	}
	return r.clock
}

func (r *reader) Verify(_ context.Context, input []byte) (cert.Verdict, int, int, error) {
	r.got = input
	return r.verdict, r.read, r.of, nil
}

func (r *reader) TrustAsOf(context.Context) time.Time { return r.asOf }

func kase(id string, display check.Display, change func(*casebook.Case)) check.View {
	c := casebook.Case{
		RecordID: id, RecordedAt: noon.Add(-20 * time.Minute), VisitDay: civil.In(noon), Operator: "受付１",
		Label: "タカハシザキ ヴァシリエヴィチ", Evidence: eligibility.EvidenceCertificate, Cause: eligibility.CauseLineBefore,
		Inquiry: eligibility.Inquiry{InsurerNumber: "33120015", Symbol: "12", Number: "7654321"},
		Assumed: eligibility.Assumption{CopaymentPercent: 30}, State: eligibility.Queued,
	}
	change(&c)
	v := check.View{Case: c, Display: display}
	if c.Answer == nil {
		v.Waiting = 20 * time.Minute
	}
	return v
}

func scene() []check.View {
	answer := func(validity eligibility.Validity, share int) func(*casebook.Case) {
		return func(c *casebook.Case) {
			c.State = eligibility.Answered
			c.Answer = &eligibility.Answer{Validity: validity, VisitDay: c.VisitDay, InsurerName: "みなと市国民健康保険", InsurerNumber: "331200", Number: "7654321", CopaymentPercent: share, HolderKanji: "髙橋﨑 ヴァシリエヴィチ", ValidFrom: civil.Date{Year: 2024, Month: 4, Day: 1}}
		}
	}
	return []check.View{
		kase("differs", check.Display(eligibility.Valid), func(c *casebook.Case) {
			answer(eligibility.Valid, 10)(c)
			c.Task = &casebook.Task{Kind: casebook.TaskDiffers, RaisedAt: noon, Differences: []eligibility.Difference{
				{Field: eligibility.FieldCopayment, Assumed: "30", Answered: "10"}, {Field: eligibility.FieldNumber, Assumed: "7654321", Answered: "7654322"}}}
		}),
		kase("offline", check.DisplayOffline, func(*casebook.Case) {}),
		kase("checking", check.DisplayChecking, func(c *casebook.Case) { c.State = eligibility.Sent }),
		kase("valid", check.Display(eligibility.Valid), answer(eligibility.Valid, 30)),
		kase("invalid", check.Display(eligibility.Invalid), func(c *casebook.Case) {
			c.State = eligibility.Answered
			c.Answer = &eligibility.Answer{Validity: eligibility.Invalid, VisitDay: c.VisitDay}
		}),
		kase("refused", check.DisplayRefused, func(c *casebook.Case) {
			c.State, c.Task = eligibility.Refused, &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: noon}
		}),
	}
}

type stage struct {
	*httptest.Server
	desk   *desk
	reader *reader

	class  profile.Class
	line   uplink.Line
	stats  queue.Stats
	damage reception.Damage
	log    io.Writer
	also   func(*reception.Config) // nil: what a desk has without devices
	before func(*http.Request)     // called with each request before it is answered; nil: nothing is
}

func open(t testing.TB, change ...func(*stage)) *stage {
	t.Helper()
	s := &stage{
		desk: &desk{Desk: room(t).Desk(), cases: scene()}, reader: &reader{asOf: noon.AddDate(0, 0, -2)}, class: profile.Clinic, log: io.Discard,
		line: uplink.Line{Since: noon}, stats: queue.Stats{Pending: 2, OldestAt: noon.Add(-20 * time.Minute)},
	}
	for _, c := range change {
		c(s)
	}
	c := reception.Config{
		Desk: s.desk, Verifier: s.reader, Rand: rand.Reader,
		Profile: func() profile.Profile {
			return profile.Profile{OfficeName: "みなと内科クリニック", Class: s.class}
		},
		Line: func() uplink.Line { return s.line }, Stats: func() queue.Stats { return s.stats },
		Damage: func() reception.Damage { return s.damage },
		Now:    func() time.Time { return noon }, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if s.also != nil {
		s.also(&c)
	}
	h, err := reception.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(behindADoor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before != nil {
			s.before(r)
		}
		h.ServeHTTP(w, r)
	})))
	t.Cleanup(s.Close)
	return s
}

// room is a desk for practising.
func room(t testing.TB) *rehearsal.Room {
	t.Helper()
	r, err := rehearsal.New(rehearsal.Config{
		Class: profile.Clinic, Office: "みなと内科クリニック", Now: func() time.Time { return noon }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// behindADoor serves the desk to an operator who has come in, and the door's own files.
func behindADoor(desk http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/door/") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		v := door.Visitor{Operator: operator.Operator{ID: "op_1", Name: "受付１", Lead: true}, SignedIn: true, CSRF: "t"}
		desk.ServeHTTP(w, r.WithContext(door.WithVisitor(r.Context(), v)))
	})
}

func (s *stage) do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (s *stage) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, r)
}

func (s *stage) post(t *testing.T, path string, form url.Values, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.do(t, r)
}

func TestEachStateHasItsWordsAndNoneWithoutAnAnswerSaysInvalid(t *testing.T) {
	s := open(t)
	for id, want := range map[string]string{
		"offline": "未確認（通信不可） — 記録しました", "checking": "確認中", "valid": "有効", "invalid": "無効", "refused": "送れませんでした",
	} {
		status, body := s.get(t, "/?case="+id)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %q is not on the page", id, status, want)
		}
		_, result, _ := strings.Cut(body, `id="result"`)
		if id != "invalid" && strings.Contains(result, "無効") {
			t.Errorf("%s: the result says 無効", id)
		}
	}
	_, body := s.get(t, "/")
	for _, want := range []string{"送信待ち 2件・最古 20分", "ほかに 7件", "回線：切れています", "***321"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(body, "7654321") {
		t.Error("a whole number is on the list")
	}
}

func TestTheDifferenceStandsSideBySide(t *testing.T) {
	s := open(t)
	_, body := s.get(t, "/?case=differs")
	for _, want := range []string{"受付での見込みと違います", "<td>3割</td><td class=\"changed\">1割</td>", "負担割合"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if status, _ := s.post(t, "/cases/differs/close", nil); status != http.StatusOK || !slices.Equal(s.desk.closed, []string{"differs/受付１"}) {
		t.Errorf("closing: %d %v", status, s.desk.closed)
	}
}

func TestADoubtIsAHintAndTheSecondTimeItIsRecorded(t *testing.T) {
	s := open(t)
	s.desk.doubts = []check.Doubt{{Field: check.FieldInsurer, Code: "check_digit"}}
	form := url.Values{"insurer_number": {"33120016"}, "number": {"1"}, "copayment": {"30"}}
	status, body := s.post(t, "/checks", form)
	if status != http.StatusOK || !strings.Contains(body, "検証番号が合いません") || !strings.Contains(body, `value="33120016"`) || !strings.Contains(body, `name="override" value="1"`) {
		t.Fatalf("%d %s", status, body)
	}
	form.Set("override", "1")
	if status, _ := s.post(t, "/checks", form); status != http.StatusCreated {
		t.Errorf("override: %d", status)
	}
}

func TestARefusedMyNumberIsNotShownAgain(t *testing.T) {
	s := open(t)
	s.desk.err = errors.Join(fault.At(fault.MyNumberRefused, check.FieldNumber, "this is a My Number; it was not kept"))
	status, body := s.post(t, "/checks", url.Values{"number": {"123456789018"}, "insurer_number": {"33120015"}})
	if status != http.StatusUnprocessableEntity || strings.Contains(body, "123456789018") || !strings.Contains(body, "マイナンバーではありませんか") {
		t.Fatalf("%d, or the number is on the page", status)
	}
	if !strings.Contains(body, `value="33120015"`) {
		t.Error("the other fields were cleared")
	}
}

func TestFaultsHaveWordsInEveryLanguage(t *testing.T) {
	for _, err := range []error{
		fault.At(fault.InvalidArgument, check.FieldNumber, "required"), fault.At(fault.InvalidArgument, check.FieldBirth, "date"),
		fault.New(fault.QueueFull, "full"), fault.New(fault.Forbidden, "class"), errors.New("disk"),
	} {
		for _, lang := range []string{"ja", "ja-easy", "en"} {
			s := open(t)
			s.desk.err = err
			_, body := s.post(t, "/checks?lang="+lang, url.Values{"number": {"1"}})
			if strings.Contains(body, "[e.") || !strings.Contains(body, `class="note"`) && !strings.Contains(body, `class="general"`) {
				t.Errorf("%v in %s has no words", err, lang)
			}
		}
	}
}

func TestVerificationShowsWhyAndHidesTheHolder(t *testing.T) {
	holder := &cert.Certificate{Format: shc.Format, Issuer: "https://madoguchi.example", HolderRaw: "山田 花", Doses: []cert.Dose{{Number: 1, On: civil.In(noon)}}}
	for outcome, want := range map[cert.Outcome]string{cert.Valid: "有効な証明書です", cert.BadSignature: "署名が正しくありません", cert.StaleTrust: "信頼情報が古くなっています", cert.Malformed: "証明書として読めません"} {
		s := open(t)
		s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: outcome, Certificate: holder}
		status, body := s.post(t, "/verify", url.Values{"text": {"shc:/567"}})
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %q is not on the page", outcome, status, want)
		}
		if believable := outcome == cert.Valid || outcome == cert.StaleTrust; strings.Contains(body, "山田 花") != believable {
			t.Errorf("%s: the holder is shown: %v", outcome, !believable)
		}
		if !strings.Contains(body, "<dd>SMART Health Card</dd>") {
			t.Errorf("%s: the format has no name", outcome)
		}
		if len(s.desk.verified) != 1 {
			t.Errorf("%s: counted %v", outcome, s.desk.verified)
		}
	}
}

func TestPartsAndPictures(t *testing.T) {
	s := open(t)
	s.reader.read, s.reader.of = 1, 3
	if _, body := s.post(t, "/verify", url.Values{"text": {"shc:/1/3/567"}}); !strings.Contains(body, "1/3 読み取り済み") || len(s.desk.verified) != 0 {
		t.Error("a missing part is not told")
	}
	s.reader.read, s.reader.of, s.reader.verdict = 0, 0, cert.Verdict{Outcome: cert.Malformed}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, _ := w.CreateFormFile("file", "a.png")
	_, _ = part.Write([]byte("\x89PNG not really"))
	_ = w.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/verify", &form)
	r.Header.Set("Content-Type", w.FormDataContentType())
	if status, _ := s.do(t, r); status != http.StatusOK || !bytes.HasPrefix(s.reader.got, []byte("\x89PNG")) {
		t.Errorf("the picture did not arrive: %d", status)
	}
}

func TestHostileRequestsAreRefusedAndTheDeskStaysUp(t *testing.T) {
	s := open(t)
	const secret = "s3cret-4711"
	huge := url.Values{"number": {strings.Repeat("9", reception.MaxFormBytes+1)}}
	cases := []struct {
		name   string
		status int
		path   string
		form   url.Values
		header []string
	}{
		{"oversized form", http.StatusRequestEntityTooLarge, "/checks", huge, nil},
		{"a broken form", http.StatusUnprocessableEntity, "/checks", url.Values{}, []string{"Content-Type", "application/x-www-form-urlencoded; %" + secret}},
		{"a broken multipart", http.StatusUnprocessableEntity, "/verify", url.Values{"x": {secret}}, []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"a case that does not exist", http.StatusNotFound, "/cases/" + secret + "/close", url.Values{}, nil},
	}
	for _, c := range cases {
		status, body := s.post(t, c.path, c.form, c.header...)
		if c.name == "a case that does not exist" {
			s.desk.closed = nil
		}
		if status != c.status || strings.Contains(body, secret) {
			t.Errorf("%s: %d, want %d; or the answer repeats what was sent", c.name, status, c.status)
		}
	}
	if status, _ := s.get(t, "/"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

func TestNoTemplateWordIsMissing(t *testing.T) {
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		s := open(t)
		for _, path := range []string{"/?lang=" + lang, "/?tab=scan&lang=" + lang, "/?tab=card&lang=" + lang, "/?tab=declare&lang=" + lang, "/?tab=faces&lang=" + lang, "/?tab=month&lang=" + lang, "/?tab=bookings&lang=" + lang, "/?tab=help&lang=" + lang, "/cases/offline/slip?lang=" + lang, "/print/day?lang=" + lang, "/?case=differs&lang=" + lang, "/?case=offline&lang=" + lang, "/?case=refused&lang=" + lang} {
			_, body := s.get(t, path)
			if missing := regexp.MustCompile(`\[[a-z]+\.[a-z_.]+\]`).FindString(body); missing != "" || strings.Contains(body, "%!") {
				t.Errorf("%s: %s has no words, or words lack a value", path, missing)
			}
		}
	}
}

func TestEveryLanguageHasTheSameKeysAndVerbs(t *testing.T) {
	verbs := regexp.MustCompile(`%[ds]`)
	first := reception.Catalogue("ja")
	for _, lang := range []string{"ja-easy", "en"} {
		other := reception.Catalogue(lang)
		if !slices.Equal(slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(other))) {
			t.Errorf("%s has other keys than ja", lang)
		}
		for key, text := range first {
			a, b := verbs.FindAllString(text, -1), verbs.FindAllString(other[key], -1)
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s takes %v, in ja %v", lang, key, b, a)
			}
		}
	}
}
