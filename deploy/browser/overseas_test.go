package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// Journey 1, abroad: a passport, three formats, a wallet, and a record that was wrong.
func TestOverseas(t *testing.T) {
	h := openHouse(t)
	h.install()
	rules := axe(t)
	p := h.phone()
	p.signInAs(population.SubMoved, h.Cast.Moved.Name)
	p.home()
	at := p.askAbroad(rules)
	photos := p.formats(rules)

	d := h.desk()
	h.trusts(scan(t, photos["shc"]))
	h.Line.Cut()
	d.lineIs(false)
	d.verdicts(rules, photos)
	h.restoreLine()
	d.lineIs(true)

	p.walletOffer(rules, at)
	h.consentPage(rules)
	ticket := p.askCorrection(rules, at)
	h.answerCorrection(rules, ticket)
	h.correctTheRecord()
	h.revokedEverywhere(p, d, rules, at, photos["shc"])
}

// askAbroad asks with the passport, once with a digit mistyped.
func (p *phone) askAbroad(rules string) string {
	p.t.Helper()
	lines := p.house.Cast.Moved.MRZ
	p.at("/app/certificates/new?use=overseas")
	p.has("#passport")
	p.until("!document.querySelector('#passport').hidden")
	wrong := []byte(lines[1])
	wrong[19] = '0' + (wrong[19]-'0'+1)%10
	p.tabTo("#mrz-0")
	p.write(lines[0])
	p.tabTo("#mrz-1")
	p.write(string(wrong))
	p.tabTo("#issue")
	p.press(kb.Enter)
	p.until("document.querySelector('#mrz-1').getAttribute('aria-invalid') === 'true'")
	p.sees("生年月日")
	p.judge(rules, "a passport with a wrong digit", narrowPhone)
	p.keep("certificate-passport-fault")
	p.js("document.querySelector('#mrz-1').value = ''; document.querySelector('#mrz-1').focus()")
	p.write(lines[1])
	p.tabTo("#issue")
	p.press(kb.Enter)
	return p.certificateShown()
}

// formats shows each format and photographs it.
func (p *phone) formats(rules string) map[string][]byte {
	p.t.Helper()
	out := map[string][]byte{}
	for _, format := range []string{"vdsnc", "hcert", "shc"} {
		p.has("#form-" + format)
		p.js("document.querySelector('#form-" + format + "').click()")
		p.until("document.querySelector('#form-" + format + "').checked")
		if format == "vdsnc" {
			p.has("#specimen")
			p.sees("見本")
			p.judge(rules, "a specimen", narrowPhone)
			p.keep("certificate-specimen")
			continue
		}
		p.certificateShown()
		out[format] = p.photograph()
	}
	p.judge(rules, "certificate for overseas", narrowPhone)
	p.keep("certificate-overseas")
	p.tabTo("#which")
	p.press(kb.Enter)
	p.reaches("/app/certificates/which")
	p.judge(rules, "which to show where", narrowPhone)
	p.keep("certificate-help")
	return out
}

// verdicts has a desk without a line look at what the phone shows.
func (d *desk) verdicts(rules string, photos map[string][]byte) {
	d.t.Helper()
	for _, format := range []string{"shc", "hcert"} {
		d.upload(photos[format])
		if words := d.verdict("valid"); !strings.Contains(words, "有効な証明書です") {
			d.t.Errorf("the verdict on %s says %s", format, words)
		}
		d.judge(rules, format+" verdict", deskWidth)
		d.keep("desk-verdict-" + format)
	}
	code := scan(d.t, photos["shc"])
	digits := strings.TrimPrefix(code, "shc:/")
	third := len(digits) / 6 * 2
	d.press(kb.F2)
	d.until("document.activeElement?.id === 'insurer_number'")
	d.wedge("shc:/1/3/" + digits[:third])
	d.sees("1/3 読み取り済み")
	d.judge(rules, "a part of a code", deskWidth)
	d.keep("desk-verdict-parts")
	d.wedge("shc:/3/3/" + digits[2*third:])
	d.sees("2/3 読み取り済み")
	d.wedge("shc:/2/3/" + digits[third:2*third])
	d.verdict("valid")
}

func (p *phone) walletOffer(rules, at string) {
	p.t.Helper()
	p.at(at)
	p.certificateShown()
	p.tabTo("#wallet")
	p.press(kb.Enter)
	p.has("#make-offer")
	p.tabTo("#make-offer")
	p.press(kb.Enter)
	p.has("#offer-qr")
	uri := scan(p.t, p.photographOf("#offer-qr"))
	if !strings.HasPrefix(uri, "openid-credential-offer://?") || strings.Contains(uri, value[string](p.window, "document.querySelector('#code').textContent.replace(/\\D/g, '')")) {
		p.t.Errorf("the picture of the offer holds %.60s", uri)
	}
	p.judge(rules, "offer to a wallet", narrowPhone)
	p.js("scrollTo(0, 0)")
	p.keep("wallet-offer")
}

// photographOf scrolls to an element and photographs the screen.
func (p *phone) photographOf(css string) []byte {
	p.t.Helper()
	p.js("document.querySelector(" + quote(css) + ").scrollIntoView({block: 'center'})")
	return p.photograph()
}

// consentPage is what a wallet's own browser shows.
func (h *house) consentPage(rules string) {
	h.t.Helper()
	w, err := (&tour.Guide{Stage: h.Stage, Rand: nobodysRandom{}}).Wallet(false)
	if err != nil {
		h.t.Fatal(err)
	}
	i, err := w.Discover(h.t.Context(), stage.PublicURL)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := w.Visit(h.t.Context(), i, "VaccinationCertificate")
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.openApart("wallet's browser", phoneWidth, phoneHeight)
	b.visit(h.Public.URL() + strings.TrimPrefix(v.URL, stage.PublicURL))
	b.choosePerson(population.SubMoved, h.Cast.Moved.Name)
	b.until("location.pathname === '/wallet/consent' && document.querySelector('[name=certificate]')")
	b.sees("練習ウォレット")
	b.judge(rules, "consent", narrowPhone)
	b.keep("wallet-consent")
}

// nobodysRandom gives the same bytes always: what is made of them is thrown away.
type nobodysRandom struct{}

func (nobodysRandom) Read(p []byte) (int, error) { return len(p), nil }

func (p *phone) askCorrection(rules, at string) string {
	p.t.Helper()
	p.at(at)
	p.certificateShown()
	p.tabTo("#correct")
	p.press(kb.Enter)
	p.has("#words")
	p.tabTo("#words")
	p.write("3回目の製造番号が接種済証とちがいます")
	p.judge(rules, "asking for a correction", narrowPhone)
	p.tabTo("#send")
	p.press(kb.Enter)
	p.has("#number")
	p.judge(rules, "a correction that was asked for", narrowPhone)
	p.js("scrollTo(0, 0)")
	p.keep("correction")
	return value[string](p.window, "document.querySelector('#number').textContent.trim()")
}

func (h *house) answerCorrection(rules, ticket string) {
	h.t.Helper()
	c := h.console(rules, population.SubYamanobeClerk, "山辺 千夏")
	c.visit(h.Public.URL() + "/office/certificates")
	c.sees(ticket)
	c.judge(rules, "corrections that wait", officeWidth)
	c.keep("office-corrections")
	c.tabTo("a[href$=" + quote(ticket) + "]")
	c.press(kb.Enter)
	c.has("[name=answer]")
	c.sees("3回目の製造番号が接種済証とちがいます")
	c.judge(rules, "a correction", officeWidth)
	c.keep("office-correction")
	c.tabTo("[name=answer]")
	c.press(" ")
	c.tabTo("[name=words]")
	c.write("接種済証を確かめ、製造番号を直しました")
	c.tabTo("form[action$='/answer'] button")
	c.press(kb.Enter)
	c.until("location.search.includes('done=answered')")
}

func (h *house) correctTheRecord() {
	h.t.Helper()
	csv, err := tour.Correction(h.Stage, "PX-MENDED-7")
	if err != nil {
		h.t.Fatal(err)
	}
	file := filepath.Join(h.t.TempDir(), "vaccination_corrections.csv")
	if err := os.WriteFile(file, []byte(csv), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if out, err := h.Tool(h.t.Context(), "import", file); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

// revokedEverywhere looks at the certificate where its holder and a counter see it.
func (h *house) revokedEverywhere(p *phone, d *desk, rules, at string, photo []byte) {
	h.t.Helper()
	p.at("/app/")
	p.until("document.querySelector('main h1')")
	p.at(at)
	p.has("#revoked")
	p.judge(rules, "a revoked certificate", narrowPhone)
	p.keep("certificate-revoked")
	until(h.t, func(ctx context.Context) (bool, string) {
		file := filepath.Join(h.t.TempDir(), "scanned.txt")
		if err := os.WriteFile(file, photo, 0o600); err != nil {
			return false, err.Error()
		}
		out, _, err := h.terminal.Try(ctx, "verify", "--json", file)
		return err == nil && strings.Contains(string(out), `"revoked"`), string(out)
	})
	d.upload(photo)
	d.verdict("revoked")
	d.judge(rules, "a revoked verdict", deskWidth)
	d.keep("desk-verdict-revoked")
}
