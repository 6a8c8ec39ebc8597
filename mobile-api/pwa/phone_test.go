package pwa_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long one expectation may take; the machine may be busy.
const patience = 40 * time.Second

// phone is one Chromium with one page of the app.
type phone struct {
	t   *testing.T
	ctx context.Context
	srv *canned

	mu       sync.Mutex
	messages []string
}

// browsers is the one Chromium that all tests share: each has its own profile in it, so
// that nothing that one keeps is there for the next.
var browsers struct {
	sync.Mutex
	ctx   context.Context
	close context.CancelFunc
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browsers.close != nil {
		browsers.close()
	}
	os.Exit(code)
}

// chrome gives the shared browser; a new one when the last one died.
func chrome(t *testing.T) context.Context {
	t.Helper()
	path := chromium(t)
	browsers.Lock()
	defer browsers.Unlock()
	if browsers.ctx != nil && chromedp.Do(browsers.ctx) == nil {
		return browsers.ctx
	}
	if browsers.close != nil {
		browsers.close()
	}
	browsers.ctx, browsers.close = chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("lang", "ja"), chromedp.Flag("accept-lang", "ja"),
		chromedp.Flag("disable-dev-shm-usage", true)))
	if err := chromedp.Do(browsers.ctx); err != nil {
		t.Fatal(err)
	}
	return browsers.ctx
}

// openPhone opens a page in a fresh profile, 390 × 844, in Japanese, at the canned clock.
func openPhone(t *testing.T, srv *canned) *phone {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chrome(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(stop)
	p := &phone{t: t, ctx: ctx, srv: srv}
	p.do(chromedp.EmulateViewport(390, 844))
	freeze := fmt.Sprintf("{ const at = Date.parse(%q); Date.now = () => at + (window.later ?? 0); }", clock)
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: freeze}); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted, Origin: srv.url(),
		BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.listen()
	return p
}

func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser test in short mode")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	needs(t, "chromium (Debian package chromium)")
	return ""
}

// listen collects what the page complains of; a failed request is no complaint.
func (p *phone) listen() {
	messages := chromedp.Console(p.ctx)
	done := make(chan struct{})
	ctx := p.ctx
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil || ctx.Err() != nil {
				return
			}
			text := m.String()
			if m.IsException() || strings.Contains(text, "Security Policy") || strings.Contains(text, "Trusted") {
				p.mu.Lock()
				p.messages = append(p.messages, text)
				p.mu.Unlock()
			}
		}
	}()
	p.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, m := range p.messages {
			p.t.Errorf("the page complained: %s", m)
		}
	})
}

func (p *phone) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *phone) visit(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.srv.url() + path))
}

// until waits for a JavaScript condition, or a promise of one, over navigations too.
func (p *phone) until(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Promise.resolve("+js+").then(Boolean)", chromedp.EvalAwaitPromise)); err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("this did not come true: %s\non the page: %s", js, p.text("body"))
		case <-tick.C:
		}
	}
}

// untilServer waits for something the server sees.
func (p *phone) untilServer(what string, ok func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		held := false
		p.srv.with(func() { held = ok() })
		if held {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the server did not see: %s", what)
		case <-tick.C:
		}
	}
}

// sees waits until the text stands on the page, readings left out.
func (p *phone) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("(%s)(document.body).includes(%s)", visibleText, quote(text)))
}

// text gives what stands in the first element that matches, without readings or blanks.
func (p *phone) text(css string) string {
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf("(%s)(document.querySelector(%s) ?? document.body)", visibleText, quote(css))))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return s
}

const visibleText = `(el) => { const c = el.cloneNode(true); c.querySelectorAll("rt,rp,[hidden],noscript").forEach((x) => x.remove()); return c.textContent; }`

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// click waits for the element and clicks it as a person does. New data may draw the page
// anew between finding and clicking: a click that did not arrive is made again.
func (p *phone) click(css string) {
	p.t.Helper()
	for range 5 {
		p.until(fmt.Sprintf("(e => e && !e.disabled)(document.querySelector(%s))", quote(css)))
		_, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
			window.arrived = false;
			const e = document.querySelector(%s);
			e?.scrollIntoView({ block: 'center' });
			addEventListener('click', (c) => { window.arrived ||= c.target instanceof Node && Boolean(c.target.closest(%s)); }, { capture: true, once: true });
		}`, quote(css), quote(css))))
		if err != nil {
			continue // the document went away
		}
		err = chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(css)))
		if err != nil && !strings.Contains(err.Error(), "Could not find node") {
			p.t.Fatal(err)
		}
		missed, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("window.arrived === false"))
		if err != nil || !missed { // the click may have led to another document
			return
		}
	}
	p.t.Fatalf("a click on %s did not arrive", css)
}

func (p *phone) js(expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](expression, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
}

func (p *phone) reaches(path string) {
	p.t.Helper()
	p.until("location.pathname === " + quote(path) + " && document.querySelector('main h1')")
}

// signIn walks through the first opening, until the phone has everything: a screen may
// stand before the last list is there.
func (p *phone) signIn() {
	p.t.Helper()
	p.visit("/app/")
	p.click("#sign-in")
	p.reaches("/app/")
	p.untilKept("me", "certificates", "corrections", "notices", "benefits", "offers")
	p.until("document.querySelector('#certificate, #ask')")
}

// untilKept waits until the phone keeps something under all these names.
func (p *phone) untilKept(names ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := p.keptNames() // the document may go away meanwhile
		have := strings.Fields(text)
		if !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(have, n) }) {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the phone keeps only %q", have)
		case <-tick.C:
		}
	}
}

// ready waits until the service worker holds the shell. (A page that was loading while it
// took over is not under its control until the next load.)
func (p *phone) ready() {
	p.t.Helper()
	p.js("navigator.serviceWorker.ready.then(r => r.active.state === 'activated' ? 0 : new Promise(done => r.active.addEventListener('statechange', done)))")
}

// language chooses one on the page わたし.
func (p *phone) language(l string) {
	p.t.Helper()
	p.visit("/app/me")
	p.until("document.querySelector('#language-" + l + "')")
	p.js("document.querySelector('#language-" + l + "').click()") // the choice is not what is tested here
	p.until("document.documentElement.dataset.language === " + quote(l))
}

// press sends one key to whatever has the focus.
func (p *phone) press(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}

// tabTo presses Tab until the element has the focus, which must be visible.
func (p *phone) tabTo(css string) {
	p.t.Helper()
	p.until("document.querySelector(" + quote(css) + ")")
	for range 60 {
		p.press(kb.Tab)
		here, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("document.activeElement.matches("+quote(css)+")"))
		if err != nil {
			p.t.Fatal(err)
		}
		if here {
			p.until("(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))")
			return
		}
	}
	p.t.Fatalf("Tab never reached %s", css)
}

// shoot keeps a picture when MADOGUCHI_SCREENSHOTS names a folder.
func (p *phone) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("MADOGUCHI_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Error(err)
	}
}
