package reception_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// box is a scripted outbox.
type box struct {
	mu      sync.Mutex
	figures outbox.Figures
	dead    []queue.Entry
	retried []string
	err     error
}

func (b *box) Figures(context.Context) (outbox.Figures, error) { return b.figures, nil }

func (b *box) List(_ context.Context, what string, _ uint64, limit int) ([]queue.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if what != "dead" {
		return nil, fault.New(fault.InvalidArgument, "what")
	}
	return b.dead[:min(limit, len(b.dead))], nil
}

func (b *box) Retry(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.retried = append(b.retried, id)
	b.dead = b.dead[1:]
	return nil
}

// troubled has one of everything.
func troubled() *box {
	at := noon.Add(-50 * time.Hour)
	return &box{
		figures: outbox.Figures{
			Pending: 7, OldestAt: at, Stale: 3, DeadLetters: 60, Damaged: 1, Unanswered: 2, Kept: 40, LastAck: noon.Add(-49 * time.Hour),
			FileBytes: 12 << 20, UsedBytes: 3 << 20, PutAside: 1, Lost: 4, KeyClass: "key_file", Running: true, ClockOffsetMS: 95_000, ClockTrusted: true,
		},
		dead: []queue.Entry{
			{Position: 1, ID: "01920000-0000-7000-8000-000000000001", Kind: wire.KindEligibilityCheck, At: at, State: queue.Rejected, Code: "invalid_argument"},
			{Position: 2, ID: "01920000-0000-7000-8000-000000000002", Kind: wire.KindEligibilityOutcome, At: at, State: queue.Conflict, Code: "conflict"},
			{Position: 3, ID: "01920000-0000-7000-8000-000000000003", State: queue.Damaged},
			{Position: 4, ID: "01920000-0000-7000-8000-000000000004", Kind: wire.KindCertificateVerification, At: at, State: queue.Rejected, Code: "never_heard_of"},
		},
	}
}

func with(b reception.Outbox) func(*stage) {
	return func(d *stage) { d.also, d.damage.Files = func(c *reception.Config) { c.Outbox = b }, 1 }
}

// The page says the figures and, for each thing that needs a person, what to do.
func TestTheTerminalsOwnRecords(t *testing.T) {
	b := troubled()
	d := open(t, with(b), func(d *stage) { d.line = uplink.Line{Since: noon, Reason: uplink.ClockWrong, ClockBehind: true} })
	code, page := d.get(t, "/?tab=outbox")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	for _, want := range []string{
		"この端末の記録", "7件", "最古 2日2時間", "12.0 MB（うち使用 3.0 MB）", "同じディスクの鍵ファイル（弱い）", "95秒おくれています", "端末の時計がおくれているため",
		"3件が長く送れていません", "59件が受け付けられませんでした", "要確認", "4件が読めなくなりました", "こわれたファイルが1個", "内容が正しくないと", "端末が複製されたおそれ",
		"ディスクの故障で", "受け付けられませんでした。市区町村", "never_heard_of", "56件",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(page, "/outbox/"+b.dead[2].ID) {
		t.Error("a damaged record can be sent again")
	}
	d.line = uplink.Line{Up: true, Since: noon, Reason: uplink.ReceiptUntrusted}
	if _, page = d.get(t, "/parts/bar"); !strings.Contains(page, "受け取りの署名が正しくありません") {
		t.Error("the bar does not tell of a receipt that cannot be trusted")
	}
}

// A dead letter waits again by its button, and a refusal is told.
func TestADeadLetterIsSentAgain(t *testing.T) {
	b := troubled()
	d := open(t, with(b))
	id := b.dead[0].ID
	if code, page := d.post(t, "/outbox/"+id+"/retry", url.Values{}); code != http.StatusOK || !strings.Contains(page, "もう一度送ります") || len(b.retried) != 1 || b.retried[0] != id {
		t.Errorf("%d, retried %v", code, b.retried)
	}
	b.err = fault.New(fault.NotFound, "there is no such record")
	if code, _ := d.post(t, "/outbox/"+id+"/retry", url.Values{}); code != http.StatusNotFound {
		t.Errorf("%d", code)
	}
	without := open(t)
	if code, page := without.get(t, "/?tab=outbox"); code != http.StatusOK || strings.Contains(page, `id="outbox"`) || strings.Contains(page, "tab-outbox") {
		t.Errorf("%d: a desk without its records shows the page", code)
	}
}

// The page by the keyboard, in each language and each class, without a fault of accessibility.
func TestTheTerminalsOwnRecordsOnTheScreen(t *testing.T) {
	s := openScreen(t)
	b := troubled()
	d := open(t, with(b), func(d *stage) { d.line = uplink.Line{Up: true, Since: noon} })
	s.do(chromedp.Navigate(d.URL + "/"))
	s.until("document.activeElement?.id === 'insurer_number'")
	s.do(chromedp.KeyEvent("r", chromedp.KeyModifiers(1))) // Alt+R
	s.until("document.activeElement?.id === 'outbox-title'")
	s.tabTo("#outbox-more-open")
	s.press(kb.Enter)
	s.sees("同じディスクの鍵ファイル（弱い）")
	s.judge("outbox-ja")
	evaluate[chromedp.Void](s, `document.getElementById("outbox-more").dataset.old = "1"; document.body.dispatchEvent(new Event("desk-changed")); 0`)
	s.until(`(m => m && !m.dataset.old && m.open)(document.getElementById("outbox-more"))`)
	s.until("document.activeElement?.id === 'outbox-more-open'")
	s.do(chromedp.KeyEvent("r", chromedp.KeyModifiers(1)))
	s.until("document.activeElement?.id === 'outbox-title'")
	s.tabTo("#outbox button")
	s.press(kb.Enter)
	s.sees("もう一度送ります")
	s.press(kb.Escape)
	s.until("document.activeElement?.id === 'insurer_number'")
	for _, lang := range []string{"ja-easy", "en"} {
		s.do(chromedp.Navigate(d.URL + "/?tab=outbox&lang=" + lang))
		s.until("document.querySelector('#outbox .figures')")
		s.judge("outbox-" + lang)
	}
	well := open(t, with(&box{figures: outbox.Figures{KeyClass: "tpm2", Running: true, LineUp: true, ClockTrusted: true, LastAck: noon}}), func(d *stage) {
		d.line, d.class, d.stats = uplink.Line{Up: true, Since: noon}, profile.Shelter, queue.Stats{}
	})
	s.do(chromedp.Navigate(well.URL + "/?tab=outbox&lang=ja"))
	s.until("document.querySelector('#outbox .figures')")
	s.judge("outbox-well")
	judgeStandings(t, s)
}
