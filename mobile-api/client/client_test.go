package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/mobile-api/client"
	"madoguchi.example/shared/fault"
)

const (
	person = "ctz_01jd0000000000000000000000"
	ntc    = "ntc_01jd0000000000000000000000"
	psh    = "psh_01jd0000000000000000000000"
	awd    = "awd_01jd0000000000000000000000"
	off    = "off_01jd0000000000000000000000"
	crt    = "crt_01jd0000000000000000000000"
)

// phoneServer answers the contract from memory and counts what it was asked.
type phoneServer struct {
	mu        sync.Mutex
	binding   string
	access    string
	refresh   string
	refreshes int
	keys      []string
	seen      []string
	body      map[string]any // of the last act that counts once
}

func (s *phoneServer) rotate() apiv1.TokenPair {
	s.access, s.refresh = rand.Text(), rand.Text()
	return apiv1.TokenPair{TokenType: "Bearer", AccessToken: s.access, ExpiresIn: 600, RefreshToken: s.refresh}
}

func answer(w http.ResponseWriter, status int, v any) {
	if p, ok := v.(apiv1.Problem); ok {
		w.Header().Set("Content-Type", "application/problem+json")
		p.Status = status
		v = p
	} else {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *phoneServer) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		ok := s.access != "" && r.Header.Get("Authorization") == "Bearer "+s.access
		s.seen = append(s.seen, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		if !ok {
			answer(w, http.StatusUnauthorized, apiv1.Problem{Code: "unauthenticated"})
			return
		}
		h(w, r)
	}
}

func (s *phoneServer) signIn(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/sign-in/start", func(w http.ResponseWriter, r *http.Request) {
		in := apiv1.SignInStart{}
		json.NewDecoder(r.Body).Decode(&in.Body)
		s.binding = in.Body.Binding
		answer(w, 200, map[string]string{"authorization_url": "http://idp.test/authorize?state=st"})
	})
	mux.HandleFunc("POST /v1/sign-in/finish", func(w http.ResponseWriter, r *http.Request) {
		in := apiv1.SignInFinish{}
		json.NewDecoder(r.Body).Decode(&in.Body)
		sum := sha256.Sum256([]byte(in.Body.Secret))
		switch {
		case base64.RawURLEncoding.EncodeToString(sum[:]) != s.binding:
			answer(w, 403, apiv1.Problem{Code: "forbidden"})
		case in.Body.Code == "stranger":
			answer(w, 403, apiv1.Problem{Code: "identity_unlinked", Counter: &apiv1.Counter{Name: "市民課"}})
		default:
			answer(w, 200, s.rotate())
		}
	})
	mux.HandleFunc("POST /v1/sign-in/refresh", func(w http.ResponseWriter, r *http.Request) {
		in := apiv1.Refresh{}
		json.NewDecoder(r.Body).Decode(&in.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		if in.Body.RefreshToken != s.refresh {
			answer(w, 401, apiv1.Problem{Code: "unauthenticated"})
			return
		}
		s.refreshes++
		answer(w, 200, s.rotate())
	})
}

// remember keeps an act's key and body.
func (s *phoneServer) remember(r *http.Request) {
	body := map[string]any{}
	json.NewDecoder(r.Body).Decode(&body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
	s.body = body
}

// act answers an act that counts once.
func (s *phoneServer) act(v any) http.HandlerFunc {
	return s.guarded(func(w http.ResponseWriter, r *http.Request) {
		s.remember(r)
		answer(w, 201, v)
	})
}

// list answers with v, or 304 to whoever has it.
func (s *phoneServer) list(v any) http.HandlerFunc {
	return s.guarded(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answer(w, 200, v)
	})
}

// help answers what is about benefits and offers.
func (s *phoneServer) help(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/benefits", s.list(map[string]any{"benefits": []apiv1.Benefit{{ID: awd}}}))
	mux.HandleFunc("GET /v1/offers", s.list(map[string]any{"offers": []apiv1.Offer{{ID: off}}}))
	mux.HandleFunc("GET /v1/benefits/{id}", s.guarded(func(w http.ResponseWriter, r *http.Request) { answer(w, 200, apiv1.Benefit{ID: awd}) }))
	mux.HandleFunc("POST /v1/benefits/{id}/refusal", s.act(apiv1.Benefit{ID: awd, State: "refused"}))
	mux.HandleFunc("GET /v1/offers/{id}", s.guarded(func(w http.ResponseWriter, r *http.Request) { answer(w, 200, apiv1.Offer{ID: off}) }))
	mux.HandleFunc("PUT /v1/offers/{id}/answer", s.guarded(func(w http.ResponseWriter, r *http.Request) {
		in := apiv1.AnswerOffer{}
		json.NewDecoder(r.Body).Decode(&in.Body)
		answer(w, 200, apiv1.Offer{ID: off, Answer: in.Body.Answer})
	}))
}

// certificates answers what is about certificates and their correction.
func (s *phoneServer) certificates(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/certificates", s.act(apiv1.Certificate{ID: crt, Format: "shc", Renderings: []apiv1.Rendering{{Format: "shc"}, {Format: "hcert"}}}))
	mux.HandleFunc("GET /v1/certificates", s.list(map[string]any{"certificates": []apiv1.Certificate{{ID: crt}}}))
	mux.HandleFunc("POST /v1/certificates/{id}/wallet-offer", s.act(apiv1.WalletOffer{OfferURI: "openid-credential-offer://?", TxCode: "012345"}))
	mux.HandleFunc("POST /v1/corrections", s.act(apiv1.Correction{Reference: "K-1", State: "open"}))
	mux.HandleFunc("GET /v1/corrections", s.list(map[string]any{"corrections": []apiv1.Correction{{Reference: "K-1"}}}))
}

func (s *phoneServer) handler() http.Handler {
	mux := http.NewServeMux()
	s.signIn(mux)
	mux.HandleFunc("GET /v1/me", s.guarded(func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, client.Me{Municipality: "みなと市", People: []apiv1.Person{{ID: person}}})
	}))
	s.certificates(mux)
	s.help(mux)
	mux.HandleFunc("GET /v1/notices", s.guarded(func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, client.NoticePage{Notices: []apiv1.Notice{{ID: ntc}}, Next: "more"})
	}))
	one := s.guarded(func(w http.ResponseWriter, r *http.Request) { answer(w, 200, apiv1.Notice{ID: ntc}) })
	mux.HandleFunc("GET /v1/notices/{id}", one)
	mux.HandleFunc("GET /v1/pushes/{h}", one)
	none := s.guarded(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, p := range []string{"POST /v1/notices/{id}/read", "PUT /v1/devices/{d}", "DELETE /v1/devices/{d}", "POST /v1/sign-out"} {
		mux.HandleFunc(p, none)
	}
	mux.HandleFunc("GET /v1/access-log", s.guarded(func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, client.AccessPage{Entries: []apiv1.Access{{Who: "you"}}})
	}))
	return mux
}

func signedIn(t *testing.T) (*phoneServer, *client.Client) {
	t.Helper()
	s := &phoneServer{}
	srv := httptest.NewServer(s.handler())
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, srv.Client(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	begun, err := c.StartSignIn(t.Context(), "ja")
	if err != nil || begun.AuthorizationURL == "" {
		t.Fatalf("StartSignIn gave %q, %v", begun.AuthorizationURL, err)
	}
	back, _ := url.Parse("http://app.test/app/sign-in?code=c&state=st")
	if err := c.FinishSignInAt(t.Context(), begun, back); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestEveryCallReachesItsOperation(t *testing.T) {
	s, c := signedIn(t)
	ctx := t.Context()
	steps := []struct {
		want string
		do   func() error
	}{
		{"GET /v1/me", func() error { _, err := c.Me(ctx); return err }},
		{"POST /v1/certificates", func() error {
			_, err := c.IssueCertificate(ctx, client.Ask{Person: person, Use: "domestic"})
			return err
		}},
		{"GET /v1/certificates", func() error { _, err := c.ListCertificates(ctx); return err }},
		{"POST /v1/certificates/" + crt + "/wallet-offer", func() error { _, err := c.OfferWallet(ctx, crt, ""); return err }},
		{"POST /v1/corrections", func() error {
			_, err := c.AskCorrection(ctx, client.Wrong{Person: person, Kind: "missing", Words: "x"})
			return err
		}},
		{"GET /v1/corrections", func() error { _, err := c.Corrections(ctx); return err }},
		{"GET /v1/notices", func() error { _, err := c.Notices(ctx, ""); return err }},
		{"GET /v1/notices?cursor=a%2Fb", func() error { _, err := c.Notices(ctx, "a/b"); return err }},
		{"GET /v1/notices/" + ntc, func() error { _, err := c.Notice(ctx, ntc); return err }},
		{"POST /v1/notices/" + ntc + "/read", func() error { return c.ReadNotice(ctx, ntc) }},
		{"GET /v1/pushes/" + psh, func() error { _, err := c.ResolvePush(ctx, psh); return err }},
		{"GET /v1/benefits", func() error { _, err := c.Benefits(ctx); return err }},
		{"GET /v1/benefits/" + awd, func() error { _, err := c.Benefit(ctx, awd); return err }},
		{"POST /v1/benefits/" + awd + "/refusal", func() error { _, err := c.RefuseBenefit(ctx, awd, ""); return err }},
		{"GET /v1/offers", func() error { _, err := c.Offers(ctx); return err }},
		{"GET /v1/offers/" + off, func() error { _, err := c.Offer(ctx, off); return err }},
		{"PUT /v1/offers/" + off + "/answer", func() error {
			o, err := c.AnswerOffer(ctx, off, "declined")
			if err == nil && o.Answer != "declined" {
				return errors.New("the answer was not sent")
			}
			return err
		}},
		{"PUT /v1/devices/dev", func() error { return c.RegisterDevice(ctx, client.Device{ID: "dev", Token: "practice:dev"}) }},
		{"DELETE /v1/devices/dev", func() error { return c.RemoveDevice(ctx, "dev") }},
		{"GET /v1/access-log", func() error { _, err := c.AccessLog(ctx, ""); return err }},
		{"POST /v1/sign-out", func() error { return c.SignOut(ctx) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.want, err)
		}
		if got := s.seen[len(s.seen)-1]; got != step.want {
			t.Errorf("asked %s, want %s", got, step.want)
		}
	}
	if c.Tokens().AccessToken != "" {
		t.Error("the tokens outlived the sign-out")
	}
}

func TestParallelCallersShareOneRefresh(t *testing.T) {
	s, c := signedIn(t)
	pair := c.Tokens()
	pair.AccessToken = "run-out"
	c.Resume(pair)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = c.Me(t.Context()) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if s.refreshes != 1 {
		t.Errorf("%d refreshes, want 1: a refresh token used twice ends the session", s.refreshes)
	}
}

func TestRefusalsAreProblems(t *testing.T) {
	_, c := signedIn(t)
	begun, err := c.StartSignIn(t.Context(), "ja")
	if err != nil {
		t.Fatal(err)
	}
	err = c.FinishSignIn(t.Context(), begun, "stranger", "st")
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || fault.CodeOf(err) != fault.IdentityUnlinked || p.Counter == nil || p.Counter.Name != "市民課" {
		t.Fatalf("an unlinked person gave %v", err)
	}
	c.Resume(apiv1.TokenPair{AccessToken: "spent", RefreshToken: "spent-too"})
	if _, err := c.Me(t.Context()); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("a dead session gave %v", err)
	}
}

func TestAnswersThatAreNoProblems(t *testing.T) {
	for _, k := range []struct {
		name   string
		status int
		body   string
		want   fault.Code
	}{
		{"proxy page", 502, "<html>secret text</html>", fault.Unavailable},
		{"redirect", 302, "", fault.Internal},
		{"bare 404", 404, "no", fault.Internal},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := against(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(k.status)
				w.Write([]byte(k.body))
			})
			_, err := c.Me(t.Context())
			if fault.CodeOf(err) != k.want || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want code %s without the page's text", err, k.want)
			}
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte(" "), client.MaxAnswer+1))
	})
	if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("an oversized answer gave %v", err)
	}
}

func TestConditionalList(t *testing.T) {
	_, c := signedIn(t)
	list, etag, changed, err := c.CertificatesIfChanged(t.Context(), "")
	if err != nil || len(list) != 1 || !changed {
		t.Fatalf("first list: %v %v %v", list, changed, err)
	}
	if list, _, changed, err = c.CertificatesIfChanged(t.Context(), etag); err != nil || changed || list != nil {
		t.Errorf("second list: %v %v %v", list, changed, err)
	}
	if list, _, changed, err := c.BenefitsIfChanged(t.Context(), etag); err != nil || changed || list != nil {
		t.Errorf("unchanged benefits: %v %v %v", list, changed, err)
	}
	if list, _, changed, err := c.CorrectionsIfChanged(t.Context(), etag); err != nil || changed || list != nil {
		t.Errorf("unchanged corrections: %v %v %v", list, changed, err)
	}
	if list, _, changed, err := c.OffersIfChanged(t.Context(), ""); err != nil || !changed || len(list) != 1 {
		t.Errorf("offers: %v %v %v", list, changed, err)
	}
}

func TestARefusalRepeatedKeepsItsKey(t *testing.T) {
	s, c := signedIn(t)
	for _, key := range []string{"", "the-same-key-0123", "the-same-key-0123"} {
		if b, err := c.RefuseBenefit(t.Context(), awd, key); err != nil || b.State != "refused" {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	if len(s.keys[0]) < 16 || s.keys[1] != "the-same-key-0123" || s.keys[2] != s.keys[1] {
		t.Errorf("keys %q", s.keys)
	}
}

// What an act was asked with is what goes out, and what is not there is left out.
func TestWhatActsSend(t *testing.T) {
	s, c := signedIn(t)
	lines := []string{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, err := c.IssueCertificate(t.Context(), client.Ask{Person: person, Use: "overseas", MRZ: lines})
			return err
		}, `{"mrz":["` + lines[0] + `","` + lines[1] + `"],"person":"` + person + `","use":"overseas"}`},
		{func() error {
			_, err := c.IssueCertificate(t.Context(), client.Ask{Person: person, Use: "domestic"})
			return err
		}, `{"person":"` + person + `","use":"domestic"}`},
		{func() error {
			_, err := c.AskCorrection(t.Context(), client.Wrong{Person: person, Kind: "wrong", Certificate: crt, Dose: 2, Words: "日が違う"})
			return err
		}, `{"certificate":"` + crt + `","dose":2,"kind":"wrong","person":"` + person + `","words":"日が違う"}`},
		{func() error {
			_, err := c.AskCorrection(t.Context(), client.Wrong{Person: person, Kind: "missing", Words: "ない"})
			return err
		}, `{"kind":"missing","person":"` + person + `","words":"ない"}`},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		e.Encode(s.body)
		if strings.TrimSpace(got.String()) != step.want {
			t.Errorf("sent %s, want %s", got.String(), step.want)
		}
	}
}

// What a call holds about a person stays out of logs.
func TestAsksAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("x", "ask", client.Ask{Person: person, Use: "overseas", MRZ: []string{"P<SECRET", "SECRET2"}, Key: "secret-key"},
		"wrong", client.Wrong{Person: person, Kind: "name", Words: "secret words", Key: "secret-key"})
	if got := strings.ToLower(log.String()); strings.Contains(got, "secret") || strings.Contains(got, person) || !strings.Contains(got, "ask.use=overseas") {
		t.Errorf("the log holds %s", got)
	}
}

func TestWalletOffersAndCorrectionsRepeatUnderTheirKey(t *testing.T) {
	s, c := signedIn(t)
	for _, key := range []string{"", "", "the-same-key-0123"} {
		if o, err := c.OfferWallet(t.Context(), crt, key); err != nil || o.TxCode != "012345" {
			t.Fatalf("%+v, %v", o, err)
		}
		if k, err := c.AskCorrection(t.Context(), client.Wrong{Person: person, Kind: "name", Words: "x", Key: key}); err != nil || k.Reference != "K-1" {
			t.Fatalf("%+v, %v", k, err)
		}
	}
	if len(s.keys) != 6 || len(s.keys[0]) < 16 || s.keys[0] == s.keys[2] || s.keys[1] == s.keys[3] || s.keys[4] != "the-same-key-0123" || s.keys[5] != s.keys[4] {
		t.Errorf("keys %q", s.keys)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	s, c := signedIn(t)
	ask := client.Ask{Person: person, Use: "domestic"}
	for _, key := range []string{"", "", "the-same-key-0123", "the-same-key-0123"} {
		ask.Key = key
		if _, err := c.IssueCertificate(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.keys[0]) < 16 || s.keys[0] == s.keys[1] || s.keys[2] != s.keys[3] {
		t.Errorf("keys %q", s.keys)
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:80", "ftp://x", "http://"} {
		if _, err := client.New(base, nil, rand.Reader); err == nil {
			t.Errorf("base %q was accepted", base)
		}
	}
	if _, err := client.New("http://x", nil, nil); err == nil {
		t.Error("a client without a random source was accepted")
	}
}

func against(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	hc := srv.Client()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c, err := client.New(srv.URL, hc, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.Resume(apiv1.TokenPair{AccessToken: "a", RefreshToken: "r"})
	return c
}

// FuzzAnswer: no answer of a server, however odd, makes the client panic.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", []byte(`{"people":[{"id":"ctz_1"}]}`))
	f.Add(403, "application/problem+json", []byte(`{"code":"identity_unlinked","counter":{"name":"x"}}`))
	f.Add(500, "text/html", []byte("<p>"))
	var status int
	var media string
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		w.Write(body)
	}))
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, s int, m string, b []byte) {
		if s < 200 || s > 599 || s == 204 || s == 304 {
			t.Skip("no body there")
		}
		status, media, body = s, strings.ToValidUTF8(strings.ReplaceAll(m, "\n", ""), ""), b
		c, err := client.New(srv.URL, srv.Client(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.Resume(apiv1.TokenPair{AccessToken: "a"})
		me, err := c.Me(context.Background())
		if err == nil && s >= 300 {
			t.Errorf("status %d was taken for success", s)
		}
		if err == nil && slices.ContainsFunc(me.People, func(p apiv1.Person) bool { return len(p.ID) > len(b) }) {
			t.Error("more came out than went in")
		}
	})
}
