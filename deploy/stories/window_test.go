package stories_test

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

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The size of a desk's screen.
const deskWidth, deskHeight = 1366, 768

// How often a state is asked for while it is waited for, and how long it may take to come:
// the machine may be busy.
const (
	every    = 25 * time.Millisecond
	patience = 60 * time.Second
)

// chromium finds the browser, or skips the test; under CI it must be there.
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
	const needed = "this test needs chromium (Debian package chromium)"
	if os.Getenv("CI") == "true" {
		t.Fatal(needed)
	}
	t.Skip(needed)
	return ""
}

// browserTime bounds one story's whole use of its browser.
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

// window is the screen in front of the receptionist.
type window struct {
	t     *testing.T
	ctx   context.Context
	close context.CancelFunc
	where string // the line of the story that is walked

	mu         sync.Mutex
	complaints []string
}

func openWindow(t *testing.T, browser context.Context) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	w := &window{t: t, ctx: ctx, close: cancel}
	t.Cleanup(w.end)
	w.do(chromedp.EmulateViewport(deskWidth, deskHeight))
	messages := chromedp.Console(ctx)
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
	return w
}

// end closes the window; what its page complained of is a failure.
func (w *window) end() {
	w.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.complaints {
		w.t.Errorf("the page complained: %s", m)
	}
	w.complaints = nil
}

func (w *window) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s: %s", w.where, fmt.Sprintf(format, args...))
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.fail("%v", err)
	}
}

func (w *window) visit(url string) {
	w.t.Helper()
	w.do(chromedp.Navigate(url))
}

// until asks again and again until look says yes. What it said last explains a state that
// never came.
func (w *window) until(look func(context.Context) (holds bool, seen string)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		holds, seen := look(ctx)
		if holds {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.photograph("failure")
			w.fail("waited in vain, last seen: %s", seen)
		}
	}
}

// holds waits for a JavaScript condition, over navigations too.
func (w *window) holds(js string) {
	w.t.Helper()
	w.until(func(ctx context.Context) (bool, string) {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
		if err == nil && ok {
			return true, ""
		}
		return false, fmt.Sprintf("not %s (%v) on the page: %s", js, err, w.text("body"))
	})
}

// sees waits until the words stand in the first element that matches.
func (w *window) sees(css, words string) {
	w.t.Helper()
	w.holds(fmt.Sprintf("(%s)(%s).includes(%s)", visibleText, quote(css), quote(words)))
}

// visibleText is what stands in an element, readings left out.
const visibleText = `(css) => { const c = document.querySelector(css)?.cloneNode(true); if (!c) return ""; c.querySelectorAll("rt,rp,[hidden],noscript,script,style").forEach((x) => x.remove()); return c.textContent.replace(/\s+/g, " "); }`

func (w *window) text(css string) string {
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf("(%s)(%s)", visibleText, quote(css))))
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
		w.fail("%s: %v", js, err)
	}
	return v
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}

// press presses and lets go of keys, one after the other.
func (w *window) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.do(stroke(k))
	}
}

// stroke is a key as a keyboard sends it: whether it writes is decided by the page, which may
// have taken its press for something else.
func stroke(keys string, how ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			for _, k := range joined(kb.Encode(r)) {
				for _, o := range how {
					o(k)
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// joined puts the press of a key and what it writes together.
func joined(events []*input.DispatchKeyEventParams) []*input.DispatchKeyEventParams {
	if len(events) == 3 {
		events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		return []*input.DispatchKeyEventParams{events[0], events[2]}
	}
	return events
}

// write puts words into the field with the focus, as an input method commits them.
func (w *window) write(words string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: words})
		return err
	}))
}

// focus waits until the field has the focus.
func (w *window) focus(id string) {
	w.t.Helper()
	w.holds("document.activeElement?.id === " + quote(id))
}

// maxTabs is how many presses of Tab are tried.
const maxTabs = 150

// tabTo presses Tab until the element has the focus, tabBackTo Shift+Tab.
func (w *window) tabTo(css string)     { w.t.Helper(); w.tab(css, stroke(kb.Tab)) }
func (w *window) tabBackTo(css string) { w.t.Helper(); w.tab(css, stroke(kb.Tab, shifted)) }

var shifted = chromedp.KeyModifiers(kb.ModifierShift)

func (w *window) tab(css string, press chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.holds("document.querySelector(" + quote(css) + ")")
	for range maxTabs {
		if value[bool](w, "Boolean(document.activeElement?.matches("+quote(css)+"))") {
			return
		}
		w.do(press)
	}
	w.fail("Tab never reached %s on the page: %s", css, w.text("body"))
}

// photograph keeps a picture of the screen when MADOGUCHI_SCREENSHOTS names a folder.
func (w *window) photograph(name string) {
	w.t.Helper()
	dir := os.Getenv("MADOGUCHI_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "story-"+name+".png"), png, 0o644)
	}
	if err != nil {
		w.t.Errorf("%s: cannot keep a picture: %v", w.where, err)
	}
}
