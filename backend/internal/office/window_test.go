package office_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	patience    = 40 * time.Second // of one expectation; the machine may be busy
	every       = 30 * time.Millisecond
	browserTime = 9 * time.Minute
	maxTabs     = 80 // presses of Tab that a person is asked for at most
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

// axe gives the source of axe-core, empty where it is not installed.
func axe(t *testing.T) string {
	t.Helper()
	work, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimSpace(string(work))), "mobile-api", "pwa", "node_modules", "axe-core", "axe.min.js"))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs axe-core (npm ci in mobile-api/pwa)")
	}
	if err != nil {
		t.Log("pages are not judged: axe-core is not installed (npm ci in mobile-api/pwa)")
	}
	return string(source)
}

// window is one page in front of an officer.
type window struct {
	t    *testing.T
	ctx  context.Context
	base string
	axe  string

	mu         sync.Mutex
	complaints []string
}

func open(t *testing.T, base string) *window {
	t.Helper()
	path := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "ja"), chromedp.Flag("accept-lang", "ja"), chromedp.Env("TZ=Asia/Tokyo", "LANG=ja_JP.UTF-8", "LANGUAGE=ja")))
	t.Cleanup(func() {
		cancel()
		_ = chromedp.Cancel(ctx) // wait for the end, so that the profile's folder can go
	})
	w := &window{t: t, ctx: ctx, base: base, axe: axe(t)}
	w.size(1366, 768)
	w.listen()
	return w
}

// listen collects what the page complains of; a failed request is no complaint.
func (w *window) listen() {
	messages, ctx := chromedp.Console(w.ctx), w.ctx
	go func() {
		for m, err := range messages {
			if err != nil || ctx.Err() != nil {
				return
			}
			if text := m.String(); m.IsException() || strings.Contains(text, "Security Policy") {
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
			w.t.Errorf("the page complained: %s", m)
		}
	})
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *window) size(width, height int64) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(width, height))
}

func (w *window) visit(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.base + path))
}

// until waits for a JavaScript condition, over navigations too.
func (w *window) until(js string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")")); err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("this did not come true: %s\non the page: %s", js, w.text())
		}
	}
}

func (w *window) has(css string) { w.t.Helper(); w.until("document.querySelector(" + quote(css) + ")") }

func (w *window) sees(words string) {
	w.t.Helper()
	w.until("document.body.innerText.replace(/\\s+/g, ' ').includes(" + quote(words) + ")")
}

func (w *window) text() string {
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return s
}

func value[T any](w *window, js string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v", js, err)
	}
	return v
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}

// press presses and lets go of keys as a keyboard does.
func (w *window) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.do(stroke(k))
	}
}

func stroke(keys string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			events := kb.Encode(r)
			if len(events) == 3 { // the press of a key and what it writes are one
				events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
				events = []*input.DispatchKeyEventParams{events[0], events[2]}
			}
			for _, k := range events {
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// write puts words in at the cursor as an input method commits them.
func (w *window) write(words string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: words})
		return err
	}))
}

// tabTo presses Tab until the element has the focus, which must be in sight with a line
// around it.
func (w *window) tabTo(css string) {
	w.t.Helper()
	w.has(css)
	for range maxTabs {
		w.press(kb.Tab)
		if value[bool](w, "document.activeElement.matches("+quote(css)+")") {
			w.until(`(e => { const s = getComputedStyle(e), r = e.getBoundingClientRect();
				return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.bottom > 0 && r.top < innerHeight })(document.activeElement)`)
			return
		}
	}
	w.t.Fatalf("Tab never reached %s on the page: %s", css, w.text())
}

// choose goes to a group of choices and moves to one by the arrows.
func (w *window) choose(name, value_ string) {
	w.t.Helper()
	w.tabTo("input[name=" + quote(name) + "]")
	w.press(" ")
	for range 12 {
		if value[bool](w, "document.activeElement.value === "+quote(value_)+" && document.activeElement.checked") {
			return
		}
		w.press(kb.ArrowDown)
	}
	w.t.Fatalf("the arrows never chose %s of %s", value_, name)
}

// day types a day or a month into its field, in whichever order the browser's language has
// its parts.
func (w *window) day(css, day string) {
	w.t.Helper()
	w.tabTo(css)
	parts := strings.Split(day, "-")
	for _, order := range [][]string{parts, append(slices.Clone(parts[1:]), parts[0])} {
		value[int](w, "(e => { e.value = ''; e.blur(); e.focus(); return 0 })(document.activeElement)")
		for _, p := range order {
			w.press(p)
			if len(p) == 4 {
				w.press(kb.ArrowRight)
			}
		}
		if value[string](w, "document.activeElement.value") == day {
			return
		}
	}
	w.t.Fatalf("%s does not take %s but %q", css, day, value[string](w, "document.activeElement.value"))
}

// axeRules are what the pages are judged by.
const axeRules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`

// judge says what axe-core finds on the page as it stands, and whether it scrolls sideways.
func (w *window) judge(name string) {
	w.t.Helper()
	w.settle()
	if wide, room := value[int64](w, "document.documentElement.scrollWidth"), value[int64](w, "innerWidth"); wide > room {
		w.t.Errorf("%s: at %d px the page scrolls sideways to %d px: %s", name, room, wide, w.widest())
	}
	if w.axe == "" {
		return
	}
	if !value[bool](w, "Boolean(window.axe)") {
		value[chromedp.Void](w, w.axe+"; 0")
	}
	found := value[string](w, `axe.run(document, {runOnly: `+axeRules+`})
		.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n"))`)
	if found != "" {
		w.t.Errorf("%s: %s", name, found)
	}
}

// widest names what reaches out of the page.
func (w *window) widest() string {
	return value[string](w, `[...document.querySelectorAll("main *, .top *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 4).map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 30)).join(" | ")`)
}

func (w *window) settle() {
	w.t.Helper()
	value[chromedp.Void](w, `document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(0)))))`)
}

// keep keeps a picture of the whole page when MADOGUCHI_LOOKS names a folder.
func (w *window) keep(name string) {
	w.t.Helper()
	dir := os.Getenv("MADOGUCHI_LOOKS")
	if dir == "" {
		return
	}
	if _, err := chromedp.Call(w.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		w.t.Fatal(err)
	}
	png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		w.t.Error(err)
	}
}
