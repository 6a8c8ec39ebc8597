package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// needs skips the test, or fails it where everything must be there.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
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

// browserTime bounds one test's whole use of its browser.
const browserTime = 6 * time.Minute

// startChromium starts a browser with a fresh profile that calls nobody.
func startChromium(t *testing.T, path string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "ja"), chromedp.Flag("accept-lang", "ja"), chromedp.Env("TZ=Asia/Tokyo")))
	t.Cleanup(func() {
		cancel()
		_ = chromedp.Cancel(ctx) // wait for the end, so that the profile's folder can go
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("cannot start Chromium: %v", err)
	}
	return ctx
}

// window is one page in front of one person.
type window struct {
	t      *testing.T
	ctx    context.Context
	name   string // in the names of pictures
	width  int64
	height int64

	mu         sync.Mutex
	complaints []string
}

// open opens a window in the browser's own profile, where alone pushes arrive.
func (h *house) open(name string, width, height int64) *window {
	h.t.Helper()
	return h.window(name, width, height)
}

// openApart opens a window of another person: nothing is shared with the other windows.
func (h *house) openApart(name string, width, height int64) *window {
	h.t.Helper()
	return h.window(name, width, height, chromedp.WithNewBrowserContext())
}

func (h *house) window(name string, width, height int64, how ...chromedp.ContextOption) *window {
	h.t.Helper()
	ctx, cancel := chromedp.NewContext(h.browser, how...)
	h.t.Cleanup(cancel)
	w := &window{t: h.t, ctx: ctx, name: name, width: width, height: height}
	w.size(width, height, 1)
	w.listen()
	return w
}

// size sets the window's inner size in CSS pixels.
func (w *window) size(width, height int64, scale float64) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale)))
}

// allowNotifications says yes for the person, as a prompt would ask.
func (w *window) allowNotifications(origin string) {
	w.t.Helper()
	_, err := chromedp.CallBrowser(w.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted,
		Origin: origin, BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// listen collects what the page complains of; a failed request is no complaint.
func (w *window) listen() {
	messages := chromedp.Console(w.ctx)
	ctx := w.ctx
	go func() {
		for m, err := range messages {
			if err != nil || ctx.Err() != nil {
				return
			}
			text := m.String()
			if m.IsException() || strings.Contains(text, "Security Policy") || strings.Contains(text, "Trusted") {
				w.mu.Lock()
				w.complaints = append(w.complaints, text)
				w.mu.Unlock()
			}
		}
	}()
	w.t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, m := range w.complaints {
			w.t.Errorf("the page of the %s complained: %s", w.name, m)
		}
	})
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
}

func (w *window) visit(url string) {
	w.t.Helper()
	w.do(chromedp.Navigate(url))
}

// until waits for a JavaScript condition, over navigations too.
func (w *window) until(js string) {
	w.t.Helper()
	until(w.t, func(context.Context) (bool, string) {
		ctx, cancel := context.WithTimeout(w.ctx, patience)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
		if err == nil && ok {
			return true, ""
		}
		return false, fmt.Sprintf("not %s (%v) on the page: %s", js, err, w.text("body"))
	})
}

// sees waits until the words stand on the page, readings left out.
func (w *window) sees(words string) {
	w.t.Helper()
	w.until(fmt.Sprintf("(%s)(document.body).includes(%s)", visibleText, quote(words)))
}

// has waits for an element that matches.
func (w *window) has(css string) {
	w.t.Helper()
	w.until("document.querySelector(" + quote(css) + ")")
}

const visibleText = `(el) => { const c = el.cloneNode(true); c.querySelectorAll("rt,rp,[hidden],noscript,script,style").forEach((x) => x.remove()); return c.textContent.replace(/\s+/g, " "); }`

// text gives what stands in the first element that matches, without readings.
func (w *window) text(css string) string {
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf("(%s)(document.querySelector(%s) ?? document.body)", visibleText, quote(css))))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return s
}

// value gives what a JavaScript expression gives.
func value[T any](w *window, js string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, js, err)
	}
	return v
}

func (w *window) js(expression string) {
	w.t.Helper()
	value[chromedp.Void](w, expression)
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}

// press presses keys one after the other.
func (w *window) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.do(stroke(k))
	}
}

// write writes words at the cursor as an input method does.
func (w *window) write(words string) {
	w.t.Helper()
	for i, line := range strings.Split(words, "\n") {
		if i > 0 {
			w.press(kb.Enter)
		}
		w.do(insert(line))
	}
}

// tabTo presses Tab until the element has the focus, which must be in sight.
func (w *window) tabTo(css string) {
	w.t.Helper()
	w.tab(css, stroke(kb.Tab))
}

// tabBackTo presses Shift+Tab until the element has the focus.
func (w *window) tabBackTo(css string) {
	w.t.Helper()
	w.tab(css, stroke(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
}

// maxTabs is how many presses of Tab a person is asked for at most.
const maxTabs = 60

func (w *window) tab(css string, press chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.has(css)
	for range maxTabs {
		w.do(press)
		if value[bool](w, "document.activeElement.matches("+quote(css)+")") {
			w.focusInSight()
			return
		}
	}
	w.t.Fatalf("%s: Tab never reached %s on the page: %s", w.name, css, w.text("body"))
}

// focusInSight checks that what has the focus is on the screen with a line around it.
func (w *window) focusInSight() {
	w.t.Helper()
	w.until(`(e => { const s = getComputedStyle(e), r = e.getBoundingClientRect();
		return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth })(document.activeElement)`)
}

// picture gives the screen as PNG, after whatever moves has come to rest.
func (w *window) picture() []byte {
	w.t.Helper()
	w.settle()
	if _, err := chromedp.Call(w.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		w.t.Fatal(err)
	}
	png, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	return png
}

// settle waits for fonts, pictures and two frames.
func (w *window) settle() {
	w.t.Helper()
	w.js(`Promise.all([document.fonts.ready, ...[...document.images].map(i => i.decode().catch(() => 0))])
		.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(0)))))`)
}

// keep keeps a picture when MADOGUCHI_SCREENSHOTS names a folder.
func (w *window) keep(name string) {
	w.t.Helper()
	dir := os.Getenv("MADOGUCHI_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), w.picture(), 0o644); err != nil {
		w.t.Error(err)
	}
}
