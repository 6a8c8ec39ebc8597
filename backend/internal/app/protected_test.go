package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/observe"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// world is the whole backend, served, with officers of every role signed in.
type world struct {
	*house
	base     string
	log      *lockedBuffer
	officers map[actor.Role]actor.Staff
	clock    *clock
}

// clock stands still until it is told to go on.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time {
	return storetest.Now().Add(time.Duration(c.seconds.Load()) * time.Second)
}

func (c *clock) advance() { c.seconds.Add(1) }

// hidden is the family name of the people who are protected in one of the two worlds.
const hidden = "雪野"

// families are two households with a child each, and who pays is known of both.
func families() map[string]string {
	files := maps.Clone(folk.Files)
	files["staff.csv"] = "subject,name,municipality_code,roles\n"
	for _, r := range actor.Roles() {
		files["staff.csv"] += fmt.Sprintf("s-%s,職員 %s,990019,%s\n", r, r, r)
	}
	files["benefit_facts.csv"] = "resident_ref,municipality_code,fact,value,since,source\n"
	for _, f := range []struct{ ref, name string }{{"Y", hidden}, {"S", "佐藤"}} {
		for _, p := range []struct{ suffix, relation, born string }{{"h", "head", "1985-02-03"}, {"s", "spouse", "1986-03-04"}, {"c", "child", "2015-05-05"}} {
			ref := f.ref + p.suffix
			files["residents.csv"] += fmt.Sprintf("%s,990019,%s,%s,ユキノ,カナ,YUKINO,KANA,%s,1,100-0001,みなと市1,%s\n", ref, f.name, ref, p.born, p.born)
			files["households.csv"] += fmt.Sprintf("H%s,990019,%s,%s,%s\n", f.ref, ref, p.relation, p.born)
		}
		files["residents.csv"] += fmt.Sprintf("%sk,990019,%s,%sk,ユキノ,カナ,YUKINO,KANA,2023-06-10,1,100-0001,みなと市1,2023-06-10\n", f.ref, f.name, f.ref)
		files["households.csv"] += fmt.Sprintf("H%s,990019,%sk,child,2023-06-10\n", f.ref, f.ref)
		files["benefit_facts.csv"] += fmt.Sprintf("%sh,990019,paid_by_workplace,false,2026-04-01,勤務先の申告\n", f.ref)
	}
	files["checkups.csv"] = "resident_ref,municipality_code,as_of,checkup,due_on,result,contacted_on\n" +
		"Sk,990019,2026-11-20,m18,2025-06-01,missed,\nSk,990019,2026-11-20,y3,2026-09-01,missed,2026-08-01\n"
	return files
}

// inhabit opens and serves a world. Ids and times are the same in each.
func inhabit(t *testing.T, more string) *world {
	t.Helper()
	_, file := site(t, more)
	w := &world{log: &lockedBuffer{}, clock: &clock{}}
	p := &program{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: w.log, now: w.clock.now, rand: storetest.Rand("world")}
	c, err := p.load(file, config.Config.Validate)
	must(t, err)
	w.house, err = p.open(t.Context(), c, p.logger(c))
	must(t, err)
	t.Cleanup(w.house.close)
	var in []importing.Source
	for name, text := range families() {
		in = append(in, importing.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	rep, err := importing.New(w.db.Runner(), w.importers()...).Import(t.Context(), actor.System{Name: "import"}, in)
	must(t, err)
	if rep.Refused() > 0 {
		t.Fatalf("refused: %+v", rep)
	}
	w.signIn(t)
	server, err := w.server(p, observe.New())
	must(t, err)
	w.base, _ = serving(t, server)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sessionOf is the cookie of the officer with the role.
func sessionOf(role actor.Role) string { return "session-of-" + string(role) }

// signIn opens a session for the officer of each role.
func (w *world) signIn(t *testing.T) {
	t.Helper()
	w.officers = map[actor.Role]actor.Staff{}
	for _, role := range actor.Roles() {
		hash := sha256.Sum256([]byte(sessionOf(role)))
		must(t, w.db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			m, _, err := w.logins.StaffBySubject(ctx, tt, "s-"+string(role))
			if err != nil {
				return err
			}
			w.officers[role] = actor.Staff{ID: m.ID, Name: m.Name, Municipality: m.Municipality, Roles: m.Roles}
			return w.logins.InsertStaffSession(ctx, tt, authn.StaffSession{Hash: hash[:], StaffID: m.ID, CreatedAt: w.now(), SeenAt: w.now(), ExpiresAt: w.now().Add(time.Hour)})
		}))
	}
}

// live lets clerks write to everybody and pay a benefit, after the protectors did their part.
func (w *world) live(t *testing.T, protected bool) {
	t.Helper()
	ctx := t.Context()
	if protected {
		guard := w.officers[actor.Protector]
		for _, ref := range []string{"Yh", "R4"} {
			must(t, w.protection.Set(ctx, guard, audit.Protection, ref, protection.NonDisclosure, civil.Date{}))
		}
	}
	clerk := w.officers[actor.Clerk]
	_, err := w.notices.Send(ctx, clerk, audit.NoticeWriting, mailbox.Draft{ClientID: "onc_00000000000000000000000001", Kind: notice.Information,
		Texts:      map[notice.Language]notice.Text{notice.Japanese: {Title: "図書館の休み", Body: "しばらく休みます。"}},
		Recipients: []string{"Yh", "Sh", "R4", "R1"}})
	must(t, err)
	today := civil.In(w.now())
	r, err := w.awards.Draft(ctx, clerk, audit.BenefitDecision, award.RunDraft{ClientID: "onc_00000000000000000000000002",
		Benefit: "oneoff_kosodate_ouen_2025", Month: benefit.Month{Year: 2026, Month: 2}, Deadline: today.AddDays(14), PayOn: today.AddDays(30)})
	must(t, err)
	must(t, w.children.Indicate(ctx, actor.System{Name: "worker.child_support"}, audit.ChildSupport))
	machine := actor.System{Name: "worker.award"}
	must(t, w.awards.Count(ctx, clerk, audit.BenefitDecision, r.ID))
	must(t, w.awards.Work(ctx, machine, audit.BenefitDecision, award.RunJob{Phase: award.PhaseCount, Run: r.ID}))
	must(t, w.awards.Start(ctx, clerk, audit.BenefitDecision, r.ID))
	must(t, w.awards.Work(ctx, machine, audit.BenefitDecision, award.RunJob{Phase: award.PhaseRun, Run: r.ID}))
}

var (
	link      = regexp.MustCompile(`(?:href|action|hx-get)="(/office[^"]*)"`)
	anyHandle = regexp.MustCompile(`\b([a-z]{3})_[0-9a-z]{26}\b|\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b|\b[0-9a-f]{24,64}\b`)
)

func (w *world) get(t *testing.T, session, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.base+path, nil)
	must(t, err)
	r.Header.Set("Cookie", httpapi.SessionCookie+"="+session)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, fmt.Sprintf("%d %s %s\n%s", resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("Etag"), body)
}

// walk opens every page that an officer reaches by links, in all languages' default, and
// gives them by path; handles are named in the order in which they appear.
func (w *world) walk(t *testing.T, session string) map[string]string {
	t.Helper()
	names := map[string]string{}
	plain := func(s string) string {
		return anyHandle.ReplaceAllStringFunc(s, func(h string) string {
			if names[h] == "" {
				names[h] = fmt.Sprintf("<%d>", len(names))
			}
			return names[h]
		})
	}
	out := map[string]string{}
	for queue := []string{"/office/", "/office/notices", "/office/benefits", "/office/children", "/office/protection", "/office/terminals", "/office/records"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if _, done := out[plain(path)]; done || strings.Contains(path, "/assets/") || strings.Contains(path, "sign-") {
			continue
		}
		status, page := w.get(t, session, path)
		out[plain(path)] = plain(page)
		if status >= 500 {
			t.Errorf("%s: status %d", path, status)
		}
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			to := html.UnescapeString(m[1])
			if u, err := url.Parse(to); err == nil && u.Fragment == "" {
				queue = append(queue, to)
			}
		}
	}
	return out
}

// difference gives the first lines that differ.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for n := range min(len(x), len(y)) {
		if x[n] != y[n] {
			return fmt.Sprintf("line %d: %q, not %q", n, y[n], x[n])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(y), len(x))
}

// Whatever page an officer opens who is no protector: nobody who is protected is named
// there, and the pages of notices are the same as if nobody were.
func TestNoPageLeadsToAProtectedPerson(t *testing.T) {
	free, guarded := inhabit(t, ""), inhabit(t, "")
	free.live(t, false)
	guarded.live(t, true)
	for _, role := range actor.Roles() {
		if role == actor.Protector || role == actor.Auditor { // an auditor sees every entry of the record
			continue
		}
		a, b := free.walk(t, sessionOf(role)), guarded.walk(t, sessionOf(role))
		t.Logf("%s opened %d pages, %d where people are protected", role, len(a), len(b))
		for _, path := range slices.Sorted(maps.Keys(b)) {
			if strings.Contains(b[path], hidden) {
				t.Errorf("%s: %s names somebody who is protected", role, path)
			}
			if before, ok := a[path]; strings.Contains(path, "/benefits") {
				continue
			} else if !ok || before != b[path] {
				t.Errorf("%s: %s is another where people are protected: %s", role, path, difference(before, b[path]))
			}
		}
	}
	// The witness: where nobody is protected, the clerk's pages name the family.
	named := 0
	for _, page := range free.walk(t, sessionOf(actor.Clerk)) {
		named += strings.Count(page, hidden)
	}
	if named == 0 {
		t.Error("no page names the family where nobody is protected")
	}
}

// What a clerk types by hand finds nobody either: the award of a protected family is
// answered as one that never was.
func TestAProtectedAwardIsNotFound(t *testing.T) {
	w := inhabit(t, "log_level = \"debug\"")
	w.live(t, true)
	session := sessionOf(actor.Clerk)
	var ids []string
	must(t, w.db.Reads().Each(t.Context(), `SELECT award_id FROM award WHERE citizen_id IN (SELECT citizen_id FROM resident WHERE ref LIKE 'Y%')`, nil,
		func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}))
	if len(ids) != 1 {
		t.Fatalf("%d awards of the protected family", len(ids))
	}
	trace := regexp.MustCompile(`[0-9a-f]{16,}|[a-z]{3}_[0-9a-z]{26}`)
	_, there := w.get(t, session, "/office/benefits/awards/"+ids[0])
	_, never := w.get(t, session, "/office/benefits/awards/"+ids[0][:10]+strings.Repeat("0", len(ids[0])-10))
	if there, never = trace.ReplaceAllString(there, ""), trace.ReplaceAllString(never, ""); there != never || !strings.HasPrefix(there, "404") {
		t.Errorf("the award of a protected family:\n%s\nnot\n%s", there, never)
	}
	for _, word := range []string{hidden, "佐藤", "山田", "YUKINO", "Yh", "みなと市1", "1985-02-03", "図書館", "protect"} {
		if strings.Contains(w.log.String(), word) {
			t.Errorf("the log says %q", word)
		}
	}
}
