package door_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/shared/notice"
)

// Bounds of the browser's use; the machine may be busy.
const (
	browserTime = 5 * time.Minute
	patience    = 30 * time.Second
	every       = 30 * time.Millisecond
)

// screen is a browser in front of a person who has a keyboard and no mouse.
type screen struct {
	t   *testing.T
	ctx context.Context
	axe string
}

func openScreen(t *testing.T, flags ...chromedp.ContextOption) *screen {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser test in short mode")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		needs(t, "chromium (Debian package chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, append([]chromedp.ContextOption{chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", "MAP "+deskName+" 127.0.0.1"),
		chromedp.Flag("lang", "ja"), chromedp.Flag("accept-lang", "ja"), chromedp.Env("TZ=Asia/Tokyo"))}, flags...)...)
	t.Cleanup(func() {
		cancel()
		_ = chromedp.Cancel(ctx) // wait for the end, so that the profile's folder can go
	})
	s := &screen{t: t, ctx: ctx}
	s.do(chromedp.EmulateViewport(1366, 768))
	source, err := os.ReadFile("../../../mobile-api/pwa/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs axe-core (npm ci in mobile-api/pwa)")
	}
	if err != nil {
		t.Log("pages are not judged: axe-core is not installed (npm ci in mobile-api/pwa)")
	}
	s.axe = string(source)
	return s
}

func (s *screen) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

func evaluate[T any](s *screen, js string) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for a JavaScript condition.
func (s *screen) until(js string) {
	s.t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.After(patience); ; {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-end:
			s.t.Fatalf("not %s: %v; on the page: %s", js, err, evaluate[string](s, "location.href + document.hasFocus() + (document.activeElement && document.activeElement.outerHTML) + document.documentElement.outerHTML"))
		case <-tick.C:
		}
	}
}

func (s *screen) sees(words string) {
	s.t.Helper()
	b, _ := json.Marshal(words)
	s.until(fmt.Sprintf("(e => { if (!e) return false; const c = e.cloneNode(true); c.querySelectorAll('rt,rp').forEach(x => x.remove()); return c.textContent.includes(%s) })(document.body)", b))
}

func (s *screen) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.do(chromedp.KeyEvent(k))
	}
}

func (s *screen) focused(id string) {
	s.t.Helper()
	s.until(fmt.Sprintf("document.activeElement?.id === %q", id))
}

// judge asks axe-core, and looks for sideways scrolling and for targets below 44 px on a
// phone's width and the desk's.
func (s *screen) judge(name string) {
	s.t.Helper()
	for _, width := range []int64{390, 1366} {
		s.do(chromedp.EmulateViewport(width, 768))
		if wide := evaluate[int64](s, "document.documentElement.scrollWidth"); wide > width {
			s.t.Errorf("%s: at %d px the page scrolls sideways to %d", name, width, wide)
		}
		if small := evaluate[string](s, `[...(document.querySelector("#door")?.childElementCount ? document.querySelector("#door") : document).querySelectorAll("a, button, input:not([type=hidden]), select")]
			.filter(e => e.checkVisibility() && !e.matches(".skip, .languages a") && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML).join(" ")`); small != "" {
			s.t.Errorf("%s: targets below 44 px: %s", name, small)
		}
		if s.axe == "" {
			continue
		}
		if !evaluate[bool](s, "Boolean(window.axe)") {
			evaluate[chromedp.Void](s, s.axe+"; 0")
		}
		found := evaluate[string](s, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
			.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n"))`)
		if found != "" {
			s.t.Errorf("%s at %d px: %s", name, width, found)
		}
	}
	if dir := os.Getenv("MADOGUCHI_SCREENSHOTS"); dir != "" {
		png, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "desk-door-"+name+".png"), png, 0o644)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

// launch opens the desk as `open` does: with a file that the browser is given.
func (s *screen) launch(desk *stage) {
	s.t.Helper()
	file, err := os.OpenFile(filepath.Join(s.t.TempDir(), "open.html"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := desk.launched().WriteFile(file); err != nil {
		s.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.do(chromedp.Navigate("file://" + file.Name()))
	s.until("location.href === '" + desk.URL + "/'")
}

// choose chooses an operator; the list is the browser's own, and so are its keys.
func (s *screen) choose(id string) {
	s.t.Helper()
	evaluate[chromedp.Void](s, fmt.Sprintf("document.getElementById('door-operator').value = %q; 0", id))
}

// first signs the chosen operator in for the first time, by keyboard.
func (s *screen) first(pin string) {
	s.t.Helper()
	s.focused("door-pin")
	s.press(pin, kb.Enter)
	s.until("document.getElementById('door-again')")
	s.focused("door-pin")
	s.press(pin, kb.Tab)
	s.focused("door-again")
	s.press(pin, kb.Enter)
}

// The keyboard alone: the desk is opened by the file, a first PIN set, the screen locked and
// unlocked over a half-typed form, the operator changed, and nothing typed is lost.
func TestThePINOverAHalfTypedForm(t *testing.T) {
	desk := newStage(t)
	desk.browser().come("op_2", "3691") // the colleague has a PIN already
	s := openScreen(t)
	s.launch(desk)
	s.first("2580")
	s.until("document.getElementById('who')?.textContent === '受付１'")
	evaluate[chromedp.Void](s, "document.getElementById('label').focus()")
	s.press("ハンブンダ")

	s.press(kb.F11)
	s.focused("door-pin")
	s.until("!document.getElementById('list').checkVisibility({visibilityProperty: true})")
	s.judge("overlay")
	s.press(kb.Escape, kb.F9, "1111", kb.Enter)
	s.sees("暗証番号が違います")
	s.focused("door-pin")
	s.press("2580", kb.Enter)
	s.until("document.getElementById('door').childElementCount === 0")
	s.focused("label")
	if got := evaluate[string](s, "document.getElementById('label').value"); got != "ハンブンダ" {
		t.Errorf("the form holds %q", got)
	}

	s.press(kb.F12)
	s.focused("door-pin")
	s.press(kb.Escape)
	s.until("document.getElementById('door').childElementCount === 0")
	s.press(kb.F12)
	s.focused("door-pin")
	s.choose("op_2")
	s.press("3691", kb.Enter)
	s.until("document.getElementById('door').childElementCount === 0")
	s.focused("label")
	s.press("イ", kb.Enter)
	s.until("document.getElementById('list').innerText.includes('ハンブンダイ')")
	desk.mu.Lock()
	last := desk.seen[len(desk.seen)-1]
	for _, v := range slices.Backward(desk.seen) {
		if v.Operator.ID == "op_2" {
			last = v
			break
		}
	}
	desk.mu.Unlock()
	if last.Operator.ID != "op_2" {
		t.Errorf("recorded by %+v", last.Operator)
	}

	desk.pass(time.Hour) // nobody is there: the stream tells the page, which hides itself
	s.focused("door-pin")
	s.press("3691", kb.Enter)
	s.until("document.getElementById('door').childElementCount === 0")

	desk.pass(17 * time.Hour) // the session is over: the page asks for a code and keeps what it holds
	evaluate[chromedp.Void](s, "document.getElementById('label').value = 'アト'; document.getElementById('label').focus(); 0")
	s.press(kb.Enter)
	s.focused("code")
	s.press(desk.launched().Code, kb.Enter)
	s.focused("door-pin")
	s.press("2580", kb.Enter)
	s.until("document.getElementById('door').childElementCount === 0")
	s.focused("label")
	s.press(kb.Enter)
	s.until("document.getElementById('list').innerText.includes('アト') || (typeof fresh === 'function' && fresh(), false)")
}

// Every page of the door, in three languages, at two widths.
func TestThePagesOfTheDoorAreWithoutFault(t *testing.T) {
	n := newNetwork(t)
	s := openScreen(t)
	for _, lang := range notice.Languages() {
		s.do(chromedp.Navigate(n.URL + "/launch?lang=" + string(lang)))
		s.focused("code")
		s.judge("launch-" + string(lang))
	}
	s.do(chromedp.Navigate(n.URL + "/launch?lang=ja"))
	s.press("00000000", kb.Enter)
	s.sees("番号が違うか")
	s.judge("launch-wrong")
	s.press(n.launched().Code, kb.Enter)
	s.sees("担当の確認")
	s.first("2580")
	s.until("document.getElementById('who')")
	n.pc().ask("2番カウンター 髙橋﨑 ヴァシリエヴィチ")
	for _, lang := range notice.Languages() {
		for _, page := range []string{"sign-in", "operators", "devices"} {
			s.do(chromedp.Navigate(n.URL + "/" + page + "?lang=" + string(lang)))
			s.judge(page + "-" + string(lang))
		}
	}
	other := openScreen(t)
	pairAt := strings.Replace(n.lan.URL, "127.0.0.1", deskName, 1) + "/pair"
	for _, lang := range notice.Languages() {
		other.do(chromedp.Navigate(pairAt + "?lang=" + string(lang)))
		other.focused("name")
		other.judge("pair-" + string(lang))
	}
	other.press("3番", kb.Enter)
	other.until("document.getElementById('pair-code')")
	other.judge("pair-wait")
}

// Two desks in two browsers: the code is compared, the lead accepts by keyboard, and an
// entry at one appears on the other by itself.
func TestTwoDesksOneList(t *testing.T) {
	n := newNetwork(t)
	first, second := openScreen(t), openScreen(t)
	first.launch(n.stage)
	first.first("2580")
	first.until("document.getElementById('who')")
	second.do(chromedp.Navigate(strings.Replace(n.lan.URL, "127.0.0.1", deskName, 1) + "/"))
	second.focused("name")
	second.press("2番カウンター", kb.Enter)
	second.until("document.getElementById('pair-code')")
	code := evaluate[string](second, "document.getElementById('pair-code').textContent")
	first.do(chromedp.Navigate(n.URL + "/devices"))
	first.sees(code)
	evaluate[chromedp.Void](first, "document.querySelector('button[value=accept]').focus()")
	first.press(kb.Enter)
	first.sees("許可を取り消す")
	second.sees("担当の確認")
	second.choose("op_2")
	second.first("3691")
	second.until("document.getElementById('who')?.textContent === '受付２'")
	first.do(chromedp.Navigate(n.URL + "/"))
	first.until("document.getElementById('who')")
	for i, pair := range [][2]*screen{{second, first}, {first, second}} {
		name := fmt.Sprintf("ナラビマド%d", i)
		evaluate[chromedp.Void](pair[0], "document.getElementById('label').value = ''; document.getElementById('label').focus(); 0")
		pair[0].press(name, kb.Enter)
		pair[1].until("document.getElementById('list').innerText.includes('" + name + "')")
	}
}

// attacks is what another page tries with the desk in the same browser: D is the desk's
// origin. Each gives true where it got something.
const attacks = `(async (D) => {
  const load = (tag, set) => new Promise((done) => {
    const e = document.createElement(tag);
    e.onload = () => done(true);
    e.onerror = () => done(false);
    set(e);
    document.body.append(e);
  });
  const told = {};
  told.fetch = await fetch(D + "/", { credentials: "include" }).then((r) => r.ok, () => false);
  const opaque = await fetch(D + "/print", { mode: "no-cors", credentials: "include" }).then((r) => r.type, () => "refused");
  told.nocors = opaque !== "refused";
  told.post = await fetch(D + "/checks", { method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({ label: "posted" }) }).then(() => true, () => false);
  told.beacon = await fetch(D + "/checks", { method: "POST", mode: "no-cors", keepalive: true, credentials: "include", headers: { "Content-Type": "text/plain" }, body: "label=beacon" }).then(() => true, () => false);
  told.img = await load("img", (e) => { e.src = D + "/assets/icon.svg"; });
  told.script = await load("script", (e) => { e.src = D + "/door/door.js"; });
  told.style = await load("link", (e) => { e.rel = "stylesheet"; e.href = D + "/assets/desk.css"; });
  told.events = await new Promise((done) => {
    const s = new EventSource(D + "/events", { withCredentials: true });
    s.onopen = s.onmessage = () => done(true);
    s.onerror = () => { s.close(); done(false); };
  });
  told.socket = await new Promise((done) => {
    const s = new WebSocket(D.replace("http", "ws") + "/events");
    s.onopen = () => done(true);
    s.onerror = () => done(false);
  });
  told.frame = await new Promise((done) => {
    const f = document.createElement("iframe");
    f.onload = () => { try { done(f.contentDocument !== null && f.contentDocument.body.innerText !== ""); } catch { done(false); } };
    f.src = D + "/";
    document.body.append(f);
  });
  return JSON.stringify(told);
})`

// Another page in the same browser, on another port and on another name of this machine,
// with the desk open beside it.
func TestAnotherPageInTheBrowser(t *testing.T) {
	desk := newStage(t)
	s := openScreen(t)
	s.launch(desk)
	s.first("2580")
	s.until("document.getElementById('who')")
	// The desk's own page asks once more when its stream begins; what comes later is another's.
	s.until("performance.getEntriesByType('resource').some(e => e.initiatorType === 'fetch')")
	desk.mu.Lock()
	before := len(desk.seen)
	desk.mu.Unlock()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/form": // a form that sends itself, in this tab
			fmt.Fprintf(w, `<!doctype html><title>x</title><form id="f" method="post" action="%s/checks" enctype="%s"><input name="label" value="formed"></form><script>document.getElementById("f").submit()</script>`, desk.URL, r.URL.Query().Get("as"))
		case "/launch": // from a closed frame, whose origin is null
			fmt.Fprintf(w, `<!doctype html><title>x</title><iframe sandbox="allow-scripts allow-forms allow-top-navigation" srcdoc='<form id="f" method="post" target="_top" action="%s/launch"><input name="code" value="00000000"></form><script>document.getElementById("f").submit()</script>'></iframe>`, desk.URL)
		default:
			fmt.Fprint(w, `<!doctype html><html lang="en"><title>evil</title><body></body></html>`)
		}
	}))
	t.Cleanup(evil.Close)
	for _, origin := range []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)} {
		s.do(chromedp.Navigate(origin + "/"))
		got := map[string]bool{}
		if err := json.Unmarshal([]byte(evaluate[string](s, attacks+`("`+desk.URL+`")`)), &got); err != nil {
			t.Fatal(err)
		}
		for what, got := range got {
			// That an opaque answer arrived says nothing: it may be the refusal.
			if got && !slices.Contains([]string{"nocors", "post", "beacon"}, what) {
				t.Errorf("%s: %s got something", origin, what)
			}
		}
		if len(got) != 10 {
			t.Errorf("only %v was tried", got)
		}
		for _, as := range []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"} {
			s.do(chromedp.Navigate(origin + "/form?as=" + as))
			s.until("location.href === '" + desk.URL + "/checks'")
			s.sees("only its own pages")
		}
		l := desk.launched()
		for range 6 {
			s.do(chromedp.Navigate(origin + "/launch"))
			s.until("location.href === '" + desk.URL + "/launch'")
		}
		if got := desk.browser().do(http.MethodPost, "/launch", map[string][]string{"code": {l.Code}}); got.status != http.StatusSeeOther {
			t.Errorf("%s: another page burnt a code: %d", origin, got.status)
		}
	}
	desk.mu.Lock()
	defer desk.mu.Unlock()
	if len(desk.names) != 1 || len(desk.seen) != before {
		t.Errorf("the desk was reached: %v, %d requests", desk.names, len(desk.seen)-before)
	}
}
