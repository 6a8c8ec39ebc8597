package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	correctionrows "madoguchi.example/backend/internal/store/correction"
	"madoguchi.example/backend/internal/store/folk"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

const doses = `record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country
V1,R1,990019,208,コミナティ筋注,ファイザー,PX0001,1,2021-07-01,みなと市集団接種会場,JPN
V3,R2,990019,218,コミナティ筋注5～11歳用,ファイザー,PC0001,1,2022-04-01,みなと市保健センター,JPN
`

// counterHall is the citizens' API on real use cases, a real store and a real listener.
// Only the token is not real: it is the citizen's id.
type counterHall struct {
	*running
	*folk.Town
	mailbox *mailbox.Office
	pushes  *pushrows.Rows
	log     *lockedLog
	awards  *fakeAwards
	offers  *fakeOffers
}

// byID takes the bearer for the citizen's id.
type byID struct{ openGate }

func (byID) Citizen(_ context.Context, c Credentials) (actor.Citizen, error) {
	if c.Bearer == "" {
		return actor.Citizen{}, fault.New(fault.Unauthenticated, "no token")
	}
	return actor.Citizen{ID: identity.CitizenID(c.Bearer), Municipality: "990019", Session: "ses_1"}, nil
}

func openHall(t *testing.T) *counterHall {
	t.Helper()
	db := storetest.Open(t, store.SQLite)
	h := &counterHall{Town: folk.Settle(t, db), pushes: pushrows.New(db.Reads()), log: &lockedLog{}, awards: &fakeAwards{}}
	h.offers = &fakeOffers{now: h.Now}
	papers := h.Papers(t)
	certificates := papers.Office
	h.Import(t, map[string]string{"vaccinations.csv": doses}, certificates.Importer())
	h.mailbox = papers.Mail
	cursors, err := NewCursors(bytes.Repeat([]byte{3}, 32), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	corrections := correction.New(correction.Deps{Runner: db.Runner(), Rows: correctionrows.New(db.Reads()), Family: h.Registry, Records: certificates,
		Keeper: h.Keeper, Mail: papers.Mail, Protection: h.Protection, Record: h.Log, IDs: h.IDs, Now: h.Now})
	routes := CitizenRoutes(CitizenDeps{
		Registry: h.Registry, Issuance: certificates, Mailbox: h.mailbox, Cursors: cursors, Now: h.Now, Benefits: h.awards, Offers: h.offers, Corrections: corrections,
		Push: push.New(push.Deps{Runner: db.Runner(), Rows: h.pushes, Record: h.Log, Protection: h.Protection, IDs: h.IDs, Now: h.Now, Log: logger}),
	})
	h.running = serve(t, h.log, func(c *Config) { c.Gate = byID{}; c.Log = logger }, append(routes, WellKnownRoutes(WellKnownDeps{Press: papers.Press, KeyAge: time.Hour, RevocationAge: time.Minute})...)...)
	return h
}

// ask calls as the citizen; more are pairs of header names and values.
func (h *counterHall) ask(t *testing.T, who actor.Citizen, method, path, body string, more ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who.ID != "" {
		r.Header.Set("Authorization", "Bearer "+string(who.ID))
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, raw}
}

// read decodes an answer with this status into a T.
func read[T any](t *testing.T, got reply, status int) T {
	t.Helper()
	var out T
	if got.status != status {
		t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	if err := json.Unmarshal(got.body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func wantProblem(t *testing.T, what string, got reply, status int, code fault.Code, place string) apiv1.Problem {
	t.Helper()
	var p apiv1.Problem
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatalf("%s: %v: %s", what, err, got.body)
	}
	if got.status != status || p.Code != string(code) || strings.Join(p.Places, " ") != place || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d %s", what, got.status, got.body)
	}
	return p
}

var traces = regexp.MustCompile(`"trace":"[0-9a-f]*"`)

// alike compares two answers but for their traces.
func alike(a, b reply) bool {
	return a.status == b.status && traces.ReplaceAllString(string(a.body), "") == traces.ReplaceAllString(string(b.body), "")
}

func wish(person identity.CitizenID, use string) string {
	return fmt.Sprintf(`{"person":%q,"use":%q}`, person, use)
}

const made = "ctz_00000000000000000000000000" // an id that nobody has

func TestMeOverHTTP(t *testing.T) {
	h := openHall(t)
	mother := h.Citizen(t, "990019", "R1")
	got := h.ask(t, mother, "GET", "/v1/me", "")
	me := read[struct {
		Municipality string         `json:"municipality"`
		Counter      apiv1.Counter  `json:"counter"`
		People       []apiv1.Person `json:"people"`
	}](t, got, 200)
	if me.Municipality != "みなと市" || me.Counter.Name != "市民課" || len(me.People) != 3 || me.People[0].ID != string(mother.ID) ||
		me.People[0].Relation != "self" || me.People[1].Relation != "child" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", got.body, got.header)
	}
	wantProblem(t, "without a token", h.ask(t, actor.Citizen{}, "GET", "/v1/me", ""), 401, fault.Unauthenticated, "")
	p := wantProblem(t, "a person who died", h.ask(t, h.Citizen(t, "990019", "R5"), "GET", "/v1/me", ""), 403, fault.IdentityUnlinked, "")
	if p.Counter == nil || p.Counter.Municipality != "みなと市" {
		t.Errorf("the counter is %+v", p.Counter)
	}
}

func TestCertificatesOverHTTP(t *testing.T) {
	h := openHall(t)
	mother, child, single := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R2"), h.Citizen(t, "990019", "R4")
	issue := func(who actor.Citizen, key, body string) reply {
		t.Helper()
		return h.ask(t, who, "POST", "/v1/certificates", body, "Idempotency-Key", key)
	}
	first := read[apiv1.Certificate](t, issue(mother, "key-aaaaaaaaaaaaaaaa", wish(child.ID, "domestic")), 201)
	if first.Person != string(child.ID) || first.PersonName != "山田 太郎" || !strings.HasPrefix(first.QRText, "shc:/") || len(first.Doses) != 1 ||
		!bytes.HasPrefix(first.QRPNG, []byte("\x89PNG")) || !strings.Contains(first.File, "verifiableCredential") {
		t.Errorf("got %+v", first)
	}
	h.Advance(time.Minute)
	if again := read[apiv1.Certificate](t, issue(mother, "key-aaaaaaaaaaaaaaaa", wish(child.ID, "domestic")), 201); again.ID != first.ID || again.QRText != first.QRText {
		t.Error("the same call made another certificate")
	}
	wantProblem(t, "the same key for another wish", issue(mother, "key-aaaaaaaaaaaaaaaa", wish(mother.ID, "domestic")), 409, fault.Conflict, "header.Idempotency-Key")
	// A key is its citizen's own: another's call under it is neither replayed nor told of.
	own := read[apiv1.Certificate](t, issue(child, "key-aaaaaaaaaaaaaaaa", wish(child.ID, "domestic")), 201)
	if own.ID == first.ID {
		t.Error("another citizen's call was replayed")
	}
	wantProblem(t, "no key", h.ask(t, mother, "POST", "/v1/certificates", wish(mother.ID, "domestic")), 422, fault.InvalidArgument, "header.Idempotency-Key")
	foreign, nobody := issue(single, "key-bbbbbbbbbbbbbbbb", wish(child.ID, "domestic")), issue(single, "key-bbbbbbbbbbbbbbbb", wish(made, "domestic"))
	wantProblem(t, "another's child", foreign, 404, fault.NotFound, "body.person")
	if !alike(foreign, nobody) {
		t.Errorf("another's child and nobody differ:\n%s\n%s", foreign.body, nobody.body)
	}
	p := wantProblem(t, "no record", issue(single, "key-cccccccccccccccc", wish(single.ID, "domestic")), 404, fault.NoRecord, "")
	if p.Counter == nil || p.Counter.Name != "市民課" || p.Counter.Phone != "03-0000-0001" {
		t.Errorf("the counter is %+v", p.Counter)
	}

	type list struct {
		Certificates []apiv1.Certificate `json:"certificates"`
	}
	got := h.ask(t, mother, "GET", "/v1/certificates", "")
	tag := got.header.Get("ETag")
	if l := read[list](t, got, 200); len(l.Certificates) != 2 || tag == "" || got.header.Get("Cache-Control") != revalidated {
		t.Errorf("%d certificates, ETag %q, %s", len(l.Certificates), tag, got.header.Get("Cache-Control"))
	}
	if same := h.ask(t, mother, "GET", "/v1/certificates", "", "If-None-Match", tag); same.status != 304 || len(same.body) != 0 || same.header.Get("ETag") != tag {
		t.Errorf("unchanged: %d with %d bytes", same.status, len(same.body))
	}
	if other := h.ask(t, child, "GET", "/v1/certificates", "", "If-None-Match", tag); other.status != 200 {
		t.Errorf("another citizen's ETag: %d", other.status)
	}
	read[apiv1.Certificate](t, issue(mother, "key-dddddddddddddddd", wish(mother.ID, "overseas")), 201)
	if l := read[list](t, h.ask(t, mother, "GET", "/v1/certificates", "", "If-None-Match", tag), 200); len(l.Certificates) != 3 {
		t.Errorf("after one more: %d", len(l.Certificates))
	}
	if l := read[list](t, h.ask(t, single, "GET", "/v1/certificates", ""), 200); len(l.Certificates) != 0 {
		t.Errorf("a stranger sees %d", len(l.Certificates))
	}
}

// One citizen cannot keep the signer or the server busy; the neighbour does not notice.
func TestACitizenWhoAsksTooOftenWaits(t *testing.T) {
	h := openHall(t)
	busy, calm := h.Citizen(t, "990019", "R4"), h.Citizen(t, "990019", "R1")
	issue := func(who actor.Citizen, n int) reply {
		t.Helper()
		return h.ask(t, who, "POST", "/v1/certificates", wish(who.ID, "domestic"), "Idempotency-Key", fmt.Sprintf("key-%016d", n))
	}
	for i := range issueBurst {
		wantProblem(t, "within the burst", issue(busy, i), 404, fault.NoRecord, "")
	}
	if got := issue(busy, issueBurst); got.header.Get("Retry-After") == "" {
		t.Errorf("past the burst: %d %v", got.status, got.header)
	} else {
		wantProblem(t, "past the burst", got, 429, fault.RateLimited, "")
	}
	read[apiv1.Certificate](t, issue(calm, 0), 201)
	h.Advance(issueRefill)
	wantProblem(t, "after a while", issue(busy, issueBurst+1), 404, fault.NoRecord, "")
	for i := range citizenBurst {
		if got := h.ask(t, busy, "DELETE", "/v1/devices/device-0000000000000001", ""); got.status != 204 {
			t.Fatalf("call %d: %d", i, got.status)
		}
	}
	wantProblem(t, "past the burst of all calls", h.ask(t, busy, "GET", "/v1/me", ""), 429, fault.RateLimited, "")
}

func (h *counterHall) send(t *testing.T, once int, refs ...string) string {
	t.Helper()
	clerk := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
	n, err := h.mailbox.Send(t.Context(), clerk, audit.NoticeWriting, mailbox.Draft{
		ClientID: fmt.Sprintf("client-id-%016d", once), Kind: notice.Action, Deadline: civil.Date{Year: 2026, Month: 12, Day: 1},
		Texts: map[notice.Language]notice.Text{notice.English: {Title: "Check", Body: "Apply."}, notice.Japanese: {Title: "健診", Body: "申込み"}}, Recipients: refs,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Second)
	return n.ID
}

type noticePage struct {
	Notices []apiv1.Notice `json:"notices"`
	Next    string         `json:"next"`
}

func TestNoticesOverHTTP(t *testing.T) {
	h := openHall(t)
	reader, stranger := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R4")
	var want []string
	for i := range 5 {
		want = append([]string{h.send(t, i, "R1")}, want...)
	}
	theirs := h.send(t, 9, "R4")

	var got []string
	cursor, tag := "", ""
	for page := range 3 {
		answer := h.ask(t, reader, "GET", "/v1/notices?limit=2&cursor="+cursor, "")
		p := read[noticePage](t, answer, 200)
		for _, n := range p.Notices {
			got = append(got, n.ID)
		}
		if n := p.Notices[0]; n.Texts[0].Language != "ja" || n.Texts[1].Language != "en" || n.From != "みなと市 市民課" || n.Deadline != "2026-12-01" {
			t.Errorf("a notice: %+v", n)
		}
		if page == 0 {
			cursor, tag = p.Next, answer.header.Get("ETag")
			wantProblem(t, "another's cursor", h.ask(t, stranger, "GET", "/v1/notices?limit=2&cursor="+cursor, ""), 422, fault.InvalidArgument, "query.cursor")
			wantProblem(t, "another list's cursor", h.ask(t, reader, "GET", "/v1/access-log?cursor="+cursor, ""), 422, fault.InvalidArgument, "query.cursor")
			turned := []byte(cursor)
			turned[len(turned)/2] ^= 1
			wantProblem(t, "an altered cursor", h.ask(t, reader, "GET", "/v1/notices?cursor="+string(turned), ""), 422, fault.InvalidArgument, "query.cursor")
		}
		cursor = p.Next
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || cursor != "" {
		t.Errorf("pages gave %v, want %v; next %q", got, want, cursor)
	}
	unchanged := func() bool {
		return h.ask(t, reader, "GET", "/v1/notices?limit=2", "", "If-None-Match", tag).status == http.StatusNotModified
	}
	if !unchanged() {
		t.Error("nothing changed, and the list came again")
	}
	if r := h.ask(t, reader, "POST", "/v1/notices/"+want[0]+"/read", ""); r.status != 204 || len(r.body) != 0 {
		t.Errorf("read: %d %s", r.status, r.body)
	}
	if unchanged() {
		t.Error("a notice was read, and the list did not come again")
	}
	one := h.ask(t, reader, "GET", "/v1/notices/"+want[0], "")
	if n := read[apiv1.Notice](t, one, 200); n.ReadAt == nil || one.header.Get("Cache-Control") != privately {
		t.Errorf("%s, %s", one.body, one.header.Get("Cache-Control"))
	}
	for _, method := range []struct{ verb, path string }{{"GET", "/v1/notices/%s"}, {"POST", "/v1/notices/%s/read"}} {
		foreign := h.ask(t, reader, method.verb, fmt.Sprintf(method.path, theirs), "")
		nobody := h.ask(t, reader, method.verb, fmt.Sprintf(method.path, "ntc_00000000000000000000000000"), "")
		wantProblem(t, "another's notice", foreign, 404, fault.NotFound, "")
		if !alike(foreign, nobody) {
			t.Errorf("another's notice and none differ:\n%s\n%s", foreign.body, nobody.body)
		}
	}
}

func TestPushesAndDevicesOverHTTP(t *testing.T) {
	h := openHall(t)
	reader, stranger := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R4")
	id := h.send(t, 1, "R1", "R4")
	const device, handle = "device-0000000000000001", "psh_00000000000000000000000000"
	body := `{"transport":"fcm","token":"` + secret + `","language":"ja"}`
	if r := h.ask(t, reader, "PUT", "/v1/devices/"+device, body); r.status != 204 {
		t.Fatalf("register: %d %s", r.status, r.body)
	}
	err := h.DB.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		return h.pushes.AddSends(ctx, x, []push.Send{{Citizen: reader.ID, Notice: id, Device: device, Handle: handle, MadeAt: h.Now()}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := read[apiv1.Notice](t, h.ask(t, reader, "GET", "/v1/pushes/"+handle, ""), 200); n.ID != id {
		t.Errorf("the push announced %s", n.ID)
	}
	foreign, nobody := h.ask(t, stranger, "GET", "/v1/pushes/"+handle, ""), h.ask(t, stranger, "GET", "/v1/pushes/psh_11111111111111111111111111", "")
	wantProblem(t, "another's push", foreign, 404, fault.NotFound, "")
	if !alike(foreign, nobody) {
		t.Errorf("another's push and none differ:\n%s\n%s", foreign.body, nobody.body)
	}
	if r := h.ask(t, stranger, "DELETE", "/v1/devices/"+device, ""); r.status != 204 {
		t.Errorf("another's device: %d", r.status)
	}
	if n := h.Count(t, `SELECT count(*) FROM device WHERE citizen_id = $1`, reader.ID); n != 1 {
		t.Errorf("%d devices after a stranger's deletion", n)
	}
	if r := h.ask(t, reader, "DELETE", "/v1/devices/"+device, ""); r.status != 204 || h.Count(t, `SELECT count(*) FROM device`) != 0 {
		t.Errorf("delete: %d", r.status)
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the log holds a push token")
	}
}

func TestAccessLogOverHTTP(t *testing.T) {
	h := openHall(t)
	h.send(t, 1, "R1")
	reader := h.Citizen(t, "990019", "R1")
	type page struct {
		Entries []apiv1.Access `json:"entries"`
		Next    string         `json:"next"`
	}
	read[map[string]any](t, h.ask(t, reader, "GET", "/v1/me", ""), 200)
	h.Advance(time.Second)
	first := read[page](t, h.ask(t, reader, "GET", "/v1/access-log?limit=1", ""), 200)
	second := read[page](t, h.ask(t, reader, "GET", "/v1/access-log?limit=1&cursor="+first.Next, ""), 200)
	if first.Entries[0].Action != "person.read" || first.Entries[0].Who != "you" || second.Entries[0].Action != "notice.send" || second.Entries[0].Who != "みなと市 市民課" {
		t.Errorf("%+v %+v", first, second)
	}
}

// Every web page may read the keys by which certificates are checked, and nothing else.
func TestKeysForEveryPage(t *testing.T) {
	h := openHall(t)
	got := h.ask(t, actor.Citizen{}, "GET", "/.well-known/jwks.json", "", "Origin", "https://verifier.example")
	keys := read[struct {
		Keys []map[string]any `json:"keys"`
	}](t, got, 200)
	if got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(got.header.Get("Cache-Control"), "public") ||
		len(keys.Keys) != 1 || keys.Keys[0]["alg"] != "ES256" || keys.Keys[0]["d"] != nil {
		t.Errorf("%v %s", got.header, got.body)
	}
	other := h.ask(t, h.Citizen(t, "990019", "R1"), "GET", "/v1/me", "", "Origin", "https://verifier.example")
	for name := range other.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("a citizen's data has %s", name)
		}
	}
}
