package door_test

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/notice"
)

// stream reads the desk's events until it ends.
func (b *browser) stream() (events <-chan string, ended <-chan struct{}) {
	b.s.t.Helper()
	r, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, b.base+"/events", nil)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		b.s.t.Fatalf("the stream: %d", resp.StatusCode)
	}
	out, end := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(end)
		defer func() { _ = resp.Body.Close() }()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				out <- name
			}
		}
	}()
	return out, end
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// An operator who is away finds the screen locked; parts of the page get nothing more, the
// stream ends and says why, and the page's form is not touched.
func TestAnAbsentOperatorIsLockedOut(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	token := b.csrf()
	events, ended := b.stream()
	if got := wait(t, "event", events); got != "changed" {
		t.Error(got)
	}
	for range 5 { // the page refreshes itself: that is nobody's act
		s.pass(2 * time.Minute)
		b.get("/", "HX-Request", "true")
	}
	wait(t, "end of the stream", ended)
	got := b.get("/", "HX-Request", "true")
	if got.status != http.StatusForbidden || got.header.Get("HX-Reswap") != "none" || !strings.Contains(got.header.Get("HX-Trigger"), "door-locked") || got.body != "" {
		t.Errorf("a part: %d %v %s", got.status, got.header, got.body)
	}
	if got := b.do(http.MethodPost, "/checks", url.Values{"csrf": {token}, "label": {"x"}}, "HX-Request", "true"); got.status != http.StatusForbidden || got.body != "" {
		t.Errorf("an act: %d", got.status)
	}
	if got := b.do(http.MethodPost, "/awake", url.Values{}, "X-CSRF-Token", token); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"open":false}` {
		t.Errorf("awake: %d %s", got.status, got.body)
	}
	page := b.get("/")
	if page.status != http.StatusForbidden || strings.Contains(page.body, secretName) || !strings.Contains(page.body, "7件") || !strings.Contains(page.body, `value="op_1" selected`) {
		t.Errorf("the lock page: %d %s", page.status, page.body)
	}
	events, ended = b.stream()
	if got := wait(t, "event", events); got != "locked" {
		t.Error(got)
	}
	overlay := b.get("/sign-in", "HX-Request", "true")
	if overlay.status != http.StatusOK || strings.Contains(overlay.body, "<html") || !strings.Contains(overlay.body, "data-locked") {
		t.Errorf("the overlay: %s", overlay.body)
	}
	back := b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {token}, "operator": {"op_1"}, "pin": {"2580"}}, "HX-Request", "true")
	if back.status != http.StatusOK || back.body != "" || !strings.Contains(back.header.Get("HX-Trigger"), `"door-open"`) || !strings.Contains(back.header.Get("HX-Trigger"), token) {
		t.Errorf("back: %d %v", back.status, back.header)
	}
	wait(t, "end of the locked stream", ended)
	if got := b.do(http.MethodPost, "/checks", url.Values{"csrf": {token}, "label": {"x"}}); got.status != http.StatusCreated {
		t.Errorf("the page's token after the PIN: %d", got.status)
	}
}

func TestWhoeverTypesIsNotLockedOut(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	token := b.csrf()
	for range 20 {
		s.pass(9 * time.Minute)
		if got := b.do(http.MethodPost, "/awake", url.Values{}, "X-CSRF-Token", token); strings.TrimSpace(got.body) != `{"open":true}` {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	s.pass(-24 * time.Hour) // the clock is set back
	if got := b.get("/"); got.status != http.StatusUnauthorized && got.status != http.StatusOK {
		t.Errorf("%d", got.status)
	}
}

func TestF11AndAnotherOperator(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	token := b.csrf()
	got := b.do(http.MethodPost, "/lock", url.Values{}, "X-CSRF-Token", token, "HX-Request", "true")
	if got.status != http.StatusOK || !strings.Contains(got.body, "data-locked") || strings.Contains(got.body, "<html") {
		t.Errorf("F11: %d %s", got.status, got.body)
	}
	if got := b.get("/"); got.status != http.StatusForbidden {
		t.Errorf("after F11: %d", got.status)
	}
	s.open()
	b.base = s.URL
	if got := b.get("/"); got.status != http.StatusForbidden {
		t.Errorf("a restart unlocks: %d", got.status)
	}
	b.signIn("op_2", "3691")
	b.get("/")
	if v := s.seen[len(s.seen)-1]; v.Operator.ID != "op_2" {
		t.Errorf("%+v", v)
	}
	if got := b.get("/sign-in", "HX-Request", "true"); strings.Contains(got.body, "data-locked") {
		t.Error("changing the operator is not a lock")
	}
	if got := b.do(http.MethodPost, "/lock", url.Values{"csrf": {b.csrf()}}); got.status != http.StatusSeeOther {
		t.Errorf("without a script: %d", got.status)
	}
}

func TestWrongPINsAreTold(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	token := b.csrf()
	for i := range operator.MaxWrong {
		got := b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {token}, "operator": {"op_1"}, "pin": {"7531"}, "to": {"https://evil.example/"}})
		want, words := http.StatusUnprocessableEntity, "暗証番号が違います"
		if i == operator.MaxWrong-1 {
			want, words = http.StatusTooManyRequests, "あと30秒"
		}
		if got.status != want || !strings.Contains(got.body, words) || strings.Contains(got.body, "7531") || strings.Contains(got.body, "evil.example") {
			t.Errorf("%d: %s", got.status, got.body)
		}
	}
	if got := b.get("/"); got.status != http.StatusOK {
		t.Errorf("who was there stays: %d", got.status)
	}
	for word, id := range map[string]string{"一覧にありません": "op_9", "暗証番号はまだありません": "op_2"} {
		if got := b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {token}, "operator": {id}, "pin": {"7531"}}); !strings.Contains(got.body, word) {
			t.Errorf("%s: %s", id, got.body)
		}
	}
	for _, to := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)", "/lock", "/launch", "", "evil", "/a\nb"} {
		got := b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {token}, "operator": {"op_2"}, "pin": {"3691"}, "again": {"3691"}, "to": {to}})
		if got.status == http.StatusSeeOther && got.header.Get("Location") != "/" {
			t.Errorf("%q leads to %s", to, got.header.Get("Location"))
		}
	}
}

// Leads alone change the operators; who is removed or reset is out at once.
func TestLeadsChangeOperators(t *testing.T) {
	s := newStage(t)
	lead, other := s.browser().come("op_1", "2580"), s.browser().come("op_2", "3691")
	if got := other.get("/operators"); got.status != http.StatusForbidden || !strings.Contains(got.body, "責任者だけ") {
		t.Errorf("%d %s", got.status, got.body)
	}
	token := other.csrf()
	for _, path := range []string{"/operators", "/devices"} {
		if got := other.do(http.MethodPost, path, url.Values{"csrf": {token}, "do": {"add"}, "name": {"x"}}); got.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	token = lead.csrf()
	do := func(what, id, name string) answer {
		return lead.do(http.MethodPost, "/operators", url.Values{"csrf": {token}, "do": {what}, "operator": {id}, "name": {name}})
	}
	if got := do("add", "", "<script>alert(1)</script>"); got.status != http.StatusSeeOther {
		t.Errorf("%d", got.status)
	}
	page := lead.get("/operators")
	if page.status != http.StatusOK || strings.Contains(page.body, "<script>alert") || !strings.Contains(page.body, "&lt;script&gt;") {
		t.Error("a name is written as HTML")
	}
	for what, want := range map[string]int{"add": http.StatusConflict, "no_lead": http.StatusConflict, "remove": http.StatusConflict, "explode": http.StatusBadRequest} {
		if got := do(what, "op_1", "受付２"); got.status != want {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	if got := do("reset", "op_2", ""); got.status != http.StatusSeeOther {
		t.Errorf("%d", got.status)
	}
	if got := other.get("/"); got.status != http.StatusForbidden || strings.Contains(got.body, secretName) {
		t.Errorf("who was reset: %d", got.status)
	}
	other.signIn("op_2", "3691")
	if got := do("remove", "op_2", ""); got.status != http.StatusSeeOther {
		t.Errorf("%d", got.status)
	}
	if got := other.get("/"); got.status != http.StatusForbidden || strings.Contains(got.body, "受付２") {
		t.Errorf("who was removed: %d %s", got.status, got.body)
	}
}

func TestTheCataloguesSpeakOfTheSame(t *testing.T) {
	ja := door.Catalogue("ja")
	for _, lang := range notice.Languages() {
		words := door.Catalogue(string(lang))
		for key, text := range ja {
			if other, ok := words[key]; !ok || strings.Count(other, "%") != strings.Count(text, "%") || other == "" {
				t.Errorf("%s: %s is missing or holds other figures", lang, key)
			}
		}
		if len(words) != len(ja) {
			t.Errorf("%s has %d words, ja %d", lang, len(words), len(ja))
		}
	}
	for _, word := range []string{
		operator.PINWrong, operator.PINWait, operator.PINUnset, operator.PINSet, operator.PINForm, operator.PINWeak, operator.NameForm,
		operator.NameTaken, operator.TooMany, operator.LastLead, operator.NotLead, operator.NoOperator, "pin_differs", "pair_many", "pair_gone", "devices_many",
	} {
		if ja["e."+word] == "" {
			t.Errorf("no words for %s", word)
		}
	}
	if door.Catalogue("xx") != nil {
		t.Error("words in no language")
	}
}

// Every page is written in every language, without a word that is missing.
func TestPagesInThreeLanguages(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	pages := func(paths ...string) {
		for _, lang := range notice.Languages() {
			for _, path := range paths {
				got := b.get(path + "?lang=" + string(lang))
				if strings.Contains(got.body, "[") || strings.Contains(got.body, "{") || strings.Contains(got.body, "%!") || !strings.Contains(got.body, "<h1>") {
					t.Errorf("%s in %s: %s", path, lang, got.body)
				}
			}
		}
	}
	pages("/launch")
	b.come("op_1", "2580")
	pages("/sign-in", "/operators", "/devices")
}
