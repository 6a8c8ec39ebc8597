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

// stroke presses and lets go of keys as a keyboard does: whether a key writes is decided
// by the page that may have taken its press for something else.
func stroke(keys string, how ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			for _, k := range stroked(kb.Encode(r)) {
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

// stroked joins the press of a key and what it writes.
func stroked(events []*input.DispatchKeyEventParams) []*input.DispatchKeyEventParams {
	if len(events) == 3 {
		events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		return []*input.DispatchKeyEventParams{events[0], events[2]}
	}
	return events
}

// byHand types as people do: much slower than a scanner, by the page's own clock.
func (w *window) byHand(text string) {
	w.t.Helper()
	for _, r := range text {
		w.do(stroke(string(r)))
		w.js("new Promise((next) => setTimeout(next, 35))")
	}
}

// wedge types like a hand-held scanner that acts as a keyboard: a key every few
// milliseconds by the keyboard's own clock, then Enter, and nothing in between.
func (w *window) wedge(text string) {
	w.t.Helper()
	at := time.Now()
	stamp := func(p *input.DispatchKeyEventParams) {
		p.Timestamp = input.TimeSinceEpoch(float64(at.UnixMicro()) / 1e6)
	}
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range text + kb.Enter {
			at = at.Add(4 * time.Millisecond)
			for _, k := range stroked(kb.Encode(r)) {
				stamp(k)
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}
