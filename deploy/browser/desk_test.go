package browser_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/stage"
)

// desk is a clinic's window on the reception desk.
type desk struct {
	*window
	house *house
}

// The size of a desk's screen, which is also the narrowest it promises.
const deskWidth, deskHeight = 1366, 768

func (h *house) desk() *desk {
	h.t.Helper()
	d := &desk{h.openApart("desk", deskWidth, deskHeight), h}
	d.comeIn()
	d.lineIs(true)
	d.until("document.activeElement?.id === 'insurer_number'") // ready for the hands
	return d
}

// comeIn types the code that `madoguchi-agent open --print` gives, and signs the first
// operator in by the keyboard; the first time they choose their PIN, and type it once more.
func (d *desk) comeIn() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	address, code, err := d.house.terminal.Launch(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	d.visit(address)
	d.until("document.activeElement?.id === 'code'")
	d.press(code, kb.Enter)
	d.until("document.activeElement?.id === 'door-pin'")
	d.press(stage.PIN, kb.Enter)
	d.until("document.querySelector('#door-again') || document.querySelector('#bar .operator')")
	if value[bool](d.window, "Boolean(document.querySelector('#door-again'))") {
		d.until("document.activeElement?.id === 'door-pin'")
		d.press(stage.PIN)
		d.tabTo("#door-again")
		d.press(stage.PIN, kb.Enter)
	}
	d.has("#bar .operator")
}

func (d *desk) lineIs(up bool) {
	d.t.Helper()
	if up {
		d.has("#bar .line.up[role=status]")
		return
	}
	d.has("#bar .line.down[role=status]")
	d.sees("回線：切れています（記録は続けられます）")
}

// fill types the fields in the page's order, each ended by Enter. "" leaves a field as it
// is; the fields after the last one too.
func (d *desk) fill(fields ...entry) {
	d.t.Helper()
	for _, f := range fields {
		d.until("document.activeElement?.id === " + quote(f.id))
		d.focusInSight()
		d.byHand(f.text)
		d.press(kb.Enter)
	}
}

type entry struct{ id, text string }

// card types what stands on a card.
func card(insurer, label, symbol, number, branch, born string) []entry {
	return []entry{{"insurer_number", insurer}, {"symbol", symbol}, {"number", number}, {"branch", branch}, {"birth_date", born}, {"label", label}}
}

// shows waits until the result column says the word about a record, and gives its id.
func (d *desk) shows(word string) string {
	d.t.Helper()
	d.has("#case[data-display=" + quote(word) + "]")
	return value[string](d.window, "document.querySelector('#case').dataset.recordId")
}

// row gives the words of a record's row, once it is in the state.
func (d *desk) row(id, state string) string {
	d.t.Helper()
	css := "#list a.row." + state + "[href$=" + quote(id) + "]"
	d.has(css)
	return d.text(css)
}

// verdict waits for the outcome of a certificate and gives the words of the banner.
func (d *desk) verdict(outcome string) string {
	d.t.Helper()
	d.has("#verdict[data-outcome=" + quote(outcome) + "]")
	return d.text("#verdict .banner")
}

// scanPage opens the reading of certificates by its key.
func (d *desk) scanPage() {
	d.t.Helper()
	before := value[string](d.window, "document.body.dataset.settled ?? ''")
	d.press(kb.F3)
	// The page may show it already: the new one has come when it has settled.
	d.until("(document.body.dataset.settled ?? '') !== " + quote(before) + " && document.activeElement?.id === 'text'")
}

// upload gives a picture to the desk: it is chosen, and sent by the keyboard.
func (d *desk) upload(picture []byte) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "screen.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.scanPage()
	d.tabTo("#file")
	d.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	d.tabTo("#scan button.main")
	d.press(kb.Enter)
}

// trusts waits until the terminal's snapshot knows the issuer of the certificate.
func (h *house) trusts(qr string) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "scanned.txt")
	if err := os.WriteFile(file, []byte(qr+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	until(h.t, func(ctx context.Context) (bool, string) {
		out, _, err := h.terminal.Try(ctx, "verify", "--json", file)
		if err != nil {
			return false, err.Error()
		}
		var verdict struct{ Outcome string }
		if err := json.Unmarshal(out, &verdict); err != nil {
			return false, err.Error()
		}
		return verdict.Outcome == "valid", verdict.Outcome
	})
}

// wide writes ASCII digits in full width, with a blank in between.
func wide(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= '0' && r <= '9' {
			r += '０' - '0'
		}
		if i == 2 {
			b.WriteRune('　')
		}
		b.WriteRune(r)
	}
	return b.String()
}
