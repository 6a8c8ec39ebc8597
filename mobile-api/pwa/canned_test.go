package pwa_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/mobile-api/pwa"
)

// The canned world: one parent, one child, all invented. Its clock stands still; the
// browser's is set to it.
const (
	clock    = "2026-11-21T10:10:00Z"
	parent   = "ctz_01jd0000000000000000000001"
	child    = "ctz_01jd0000000000000000000002"
	stranger = "ctz_01jd0000000000000000000003"
	carePlan = "ntc_01jd0000000000000000000001"
	schedule = "ntc_01jd0000000000000000000002"
	festival = "ntc_01jd0000000000000000000003"
	pushNote = "ntc_01jd0000000000000000000009"
	handle   = "psh_01jd0000000000000000000009"
)

var counter = apiv1.Counter{
	Municipality: "みなと市", Name: "市民課 2番窓口", Place: "みなと市中央1-2-3 市役所1階",
	Phone: "000-0000-0000", Hours: "平日 8時30分〜17時15分（木曜は19時まで）",
}

// canned serves the app and answers its API from memory. Its line can be cut: every
// connection closes, and new ones close at once. The port stays its own all the while.
type canned struct {
	t    *testing.T
	addr string
	line line

	mu          sync.Mutex
	files       map[string][]byte
	code        string // what the provider sends back with; "" is a refusal by the person
	subject     string
	binding     string
	access      string
	refresh     string
	spent       map[string]bool
	reused      bool
	refreshes   int
	reads       []string
	devices     map[string]string
	signedOut   bool
	holdNotices chan struct{} // not nil: the list of notices waits for it

	cards       // certificates, wallets and corrections
	help        // benefits and offers
	heldNotices int

	notices []apiv1.Notice
}

func serveCanned(t *testing.T) *canned {
	t.Helper()
	c := &canned{t: t, code: "good", subject: parent, spent: map[string]bool{}, devices: map[string]string{}}
	c.files = committed(t)
	c.notices = cannedNotices()
	c.help = cannedHelp()
	c.cards = cards{certs: []apiv1.Certificate{domestic(parent, firstCard)}, corrections: []apiv1.Correction{}, answered: map[string]apiv1.Correction{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	srv := &http.Server{Handler: c.handler(), ReadHeaderTimeout: 10 * time.Second, ConnState: c.line.follow}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return c
}

func (c *canned) url() string { return "http://" + c.addr }

// line is what a server's connections go over.
type line struct {
	mu   sync.Mutex
	down bool
	open map[net.Conn]bool
}

// follow keeps the open connections, and none while the line is down.
func (l *line) follow(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[net.Conn]bool{}
	}
	switch state {
	case http.StateNew:
		l.open[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(l.open, conn)
	}
	if l.down {
		conn.Close()
	}
}

func (l *line) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	for conn := range l.open {
		if down {
			conn.Close()
		}
	}
}

// connect mends the line after a cut.
func (c *canned) connect() { c.line.set(false) }

// cut ends every connection, used or not.
func (c *canned) cut() { c.line.set(true) }

func (c *canned) with(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func committed(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range distNames(t) {
		content, err := fs.ReadFile(pwa.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	return files
}

func (c *canned) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /app/", c.file)
	mux.HandleFunc("GET /provider", func(w http.ResponseWriter, r *http.Request) {
		back := "/app/sign-in?state=st&code=" + c.code
		if c.code == "" {
			back = "/app/sign-in?error=access_denied&state=st"
		}
		http.Redirect(w, r, back, http.StatusFound)
	})
	mux.HandleFunc("POST /v1/sign-in/start", c.start)
	mux.HandleFunc("POST /v1/sign-in/finish", c.finish)
	mux.HandleFunc("POST /v1/sign-in/refresh", c.replace)
	mux.HandleFunc("POST /v1/sign-out", c.citizen(func(w http.ResponseWriter, r *http.Request) { c.signedOut = true; w.WriteHeader(204) }))
	mux.HandleFunc("GET /v1/me", c.citizen(c.me))
	c.serveCards(mux)
	mux.HandleFunc("GET /v1/notices", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		c.waitForNotices()
		c.tagged(w, r, map[string]any{"notices": c.notices})
	}))
	mux.HandleFunc("POST /v1/notices/{id}/read", c.citizen(c.read))
	c.serveHelp(mux)
	mux.HandleFunc("GET /v1/pushes/{h}", c.citizen(c.resolve))
	mux.HandleFunc("PUT /v1/devices/{d}", c.citizen(c.putDevice))
	mux.HandleFunc("DELETE /v1/devices/{d}", c.citizen(func(w http.ResponseWriter, r *http.Request) { delete(c.devices, r.PathValue("d")); w.WriteHeader(204) }))
	mux.HandleFunc("GET /v1/access-log", c.citizen(c.accessLog))
	return mux
}

func (c *canned) file(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/app/")
	c.mu.Lock()
	content, ok := c.files[name]
	if !ok && slices.ContainsFunc(pwa.Pages(), func(p string) bool { return isPage(p, r.URL.Path) }) {
		name = "index.html"
		content, ok = c.files[name], true
	}
	c.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", pwa.ContentSecurityPolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", pwa.ContentType(name))
	w.Header().Set("Cache-Control", pwa.CacheControl(name))
	w.Write(content)
}

func isPage(pattern, path string) bool {
	before, ok := strings.CutSuffix(pattern, "{id}")
	if !ok {
		return pattern == path
	}
	id, ok := strings.CutPrefix(path, before)
	return ok && id != "" && !strings.Contains(id, "/")
}

// citizen holds the lock while h runs, unless there is no good token.
func (c *canned) citizen(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.access == "" || r.Header.Get("Authorization") != "Bearer "+c.access {
			refuse(w, 401, apiv1.Problem{Code: "unauthenticated"})
			return
		}
		h(w, r)
	}
}

func (c *canned) pair() apiv1.TokenPair {
	c.access, c.refresh = "a."+rand.Text(), "r."+rand.Text()
	return apiv1.TokenPair{TokenType: "Bearer", AccessToken: c.access, RefreshToken: c.refresh, ExpiresIn: 600}
}

func (c *canned) start(w http.ResponseWriter, r *http.Request) {
	in := apiv1.SignInStart{}
	decode(r, &in.Body)
	c.with(func() { c.binding = in.Body.Binding })
	reply(w, 200, map[string]string{"authorization_url": c.url() + "/provider"})
}

func (c *canned) finish(w http.ResponseWriter, r *http.Request) {
	in := apiv1.SignInFinish{}
	decode(r, &in.Body)
	sum := sha256.Sum256([]byte(in.Body.Secret))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.binding || in.Body.State != "st":
		refuse(w, 403, apiv1.Problem{Code: "forbidden", Trace: "t-binding"})
	case in.Body.Code == "stranger":
		refuse(w, 403, apiv1.Problem{Code: "identity_unlinked", Trace: "01JD4KQ7", Counter: &counter})
	default:
		reply(w, 200, c.pair())
	}
}

func (c *canned) replace(w http.ResponseWriter, r *http.Request) {
	in := apiv1.Refresh{}
	decode(r, &in.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reused = c.reused || c.spent[in.Body.RefreshToken]
	if in.Body.RefreshToken != c.refresh || c.refresh == "" {
		refuse(w, 401, apiv1.Problem{Code: "unauthenticated"})
		return
	}
	c.spent[c.refresh] = true
	c.refreshes++
	reply(w, 200, c.pair())
}

func (c *canned) me(w http.ResponseWriter, r *http.Request) {
	reply(w, 200, map[string]any{"municipality": counter.Municipality, "counter": counter, "people": []apiv1.Person{
		{ID: c.subject, Relation: "self", Name: "髙橋﨑 ヴァシリエヴィチ", NameKana: "タカハシザキ ヴァシリエヴィチ", NameLatin: "TAKAHASHIZAKI VASILIEVICH", BirthDate: "1984-04-01"},
		{ID: child, Relation: "child", Name: "髙橋﨑 みなみ", NameKana: "タカハシザキ ミナミ", NameLatin: "TAKAHASHIZAKI MINAMI", BirthDate: "2018-07-20"},
	}})
}

// waitForNotices lends the lock to others while it waits.
func (c *canned) waitForNotices() {
	hold := c.holdNotices
	if hold == nil {
		return
	}
	c.heldNotices++
	c.mu.Unlock()
	<-hold
	c.mu.Lock()
	c.heldNotices--
}

func (c *canned) read(w http.ResponseWriter, r *http.Request) {
	c.reads = append(c.reads, r.PathValue("id"))
	at, _ := time.Parse(time.RFC3339, clock)
	for i := range c.notices {
		if c.notices[i].ID == r.PathValue("id") {
			c.notices[i].ReadAt = &at
		}
	}
	w.WriteHeader(204)
}

func (c *canned) resolve(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("h") != handle {
		refuse(w, 404, apiv1.Problem{Code: "not_found"})
		return
	}
	n := notice(pushNote, "information", "2026-11-21T10:09:00Z", "", "図書館からのお知らせ", "としょかんからの おしらせ", "From the library")
	if !slices.ContainsFunc(c.notices, func(x apiv1.Notice) bool { return x.ID == pushNote }) {
		c.notices = append([]apiv1.Notice{n}, c.notices...)
	}
	reply(w, 200, n)
}

func (c *canned) putDevice(w http.ResponseWriter, r *http.Request) {
	in := apiv1.RegisterDevice{}
	decode(r, &in.Body)
	c.devices[r.PathValue("d")] = in.Body.Token + " " + in.Body.Language
	w.WriteHeader(204)
}

func (c *canned) accessLog(w http.ResponseWriter, r *http.Request) {
	at, _ := time.Parse(time.RFC3339, clock)
	reply(w, 200, map[string]any{"entries": []apiv1.Access{
		{At: at, Who: "you", Purpose: "self", Action: "read", Items: []string{"certificates"}},
		{At: at.Add(-26 * time.Hour), Who: "みなと市 保健センター", Purpose: "certificate_issuance", Action: "read", Items: []string{"name", "birth_date", "vaccinations"}},
		{At: at.Add(-75 * time.Hour), Who: "みなと市 市民課", Purpose: "notice_writing", Action: "read", Items: []string{"name", "address"}},
	}})
}

// tagged answers with an ETag over the answer, 304 when the caller has it.
func (c *canned) tagged(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Error(err)
	}
	sum := sha256.Sum256(b)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:9]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

func cannedNotices() []apiv1.Notice {
	return []apiv1.Notice{
		notice(festival, "information", "2026-11-20T01:00:00Z", "", "年末年始の窓口の休み", "ねんまつ ねんしの まどぐちの やすみ", "Counter closed over the New Year"),
		notice(schedule, "action", "2026-11-18T01:00:00Z", "2027-01-15", "児童手当の現況届をお出しください", "こどもの お金の 紙を 出してください", "Please hand in the child allowance form"),
		notice(carePlan, "action", "2026-11-16T01:00:00Z", "2026-12-01", "給付金を受け取る口座をえらんでください", "お金を もらう 口座を えらんでください", "Choose the account for your benefit"),
	}
}

func notice(id, kind, sent, deadline, ja, easy, en string) apiv1.Notice {
	at, _ := time.Parse(time.RFC3339, sent)
	return apiv1.Notice{
		ID: id, Number: "M-2026-" + id[len(id)-6:], Kind: kind, From: "みなと市 福祉課", Phone: "000-0000-0001", SentAt: at, Deadline: deadline,
		Texts: []apiv1.Text{
			{Language: "ja", Title: ja, Body: "みなと市から、次のとおりお知らせします。\n\n金額は10,000円です。12月1日（火）までに、受け取る口座をえらんでください。えらばないときは、登録してある口座に振り込みます。\n\nわからないことは、下の電話番号へお問い合わせください。"},
			{Language: "ja-easy", Title: easy, Body: "みなと市からの おしらせです。\n\nお金は 10,000円です。12月1日（火）までに、口座を えらんでください。\n\nわからないときは、電話を してください。"},
			{Language: "en", Title: en, Body: "A notice from Minato City.\n\nThe amount is 10,000 yen. Please choose an account by Tuesday 1 December. If you do not, it goes to the account on record.\n\nIf anything is unclear, please call the number below."},
		},
	}
}

func decode(r *http.Request, into any) {
	json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10)).Decode(into)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, p apiv1.Problem) {
	p.Status, p.Type = status, "urn:madoguchi:problem:"+p.Code
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(p)
}
