package browser_test

import (
	"context"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// insert puts words in at the cursor at once, as an input method commits them.
func insert(words string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: words})
		return err
	})
}

// wedge types like a hand-held scanner that acts as a keyboard: a key every few
// milliseconds by the keyboard's own clock, then Enter.
func (w *window) wedge(text string) {
	w.t.Helper()
	at := time.Now()
	stamp := func(p *input.DispatchKeyEventParams) { p.Timestamp = input.TimeSinceEpoch(float64(at.UnixMicro()) / 1e6) }
	for _, r := range text + kb.Enter {
		at = at.Add(4 * time.Millisecond)
		w.do(chromedp.KeyEvent(string(r), stamp))
	}
}
