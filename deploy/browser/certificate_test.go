package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/population"
)

// Journey 1: from the sign-in to a counter without a network.
func TestCertificate(t *testing.T) {
	h := openHouse(t)
	h.install()
	rules := axe(t)
	p := h.phone()
	for _, l := range []string{"en", "ja-easy", "ja"} {
		p.welcome(l)
		p.judge(rules, l+" welcome", narrowPhone)
	}
	p.signInAs(population.SubParent, h.Cast.Parent.Name)
	p.home()
	p.ready()

	self := askForSelf(p)
	child := askForChild(p)
	if self == child {
		t.Fatalf("one certificate for two people: %s", self)
	}

	p.at(self)
	p.certificateShown()
	h.trusts(scan(t, p.photograph()))
	h.Public.Cut()
	p.do(chromedp.Reload())
	p.certificateShown()
	p.sees("通信できません")
	p.sees("オフラインでも表示できます")
	if words := p.text("main"); strings.Contains(words, h.Cast.Parent.Name) || strings.Contains(words, h.Cast.Parent.BirthDate[:4]+"年") {
		t.Errorf("the name or birth date is in sight before a tap: %s", words)
	}
	p.judge(rules, "certificate without a network", narrowPhone)
	p.keep("app-certificate-offline")
	photo := p.photograph()

	d := h.desk()
	h.Line.Cut()
	d.lineIs(false)
	verifyWithoutLine(t, d, photo, rules)
	h.restoreLine()
	d.lineIs(true)

	h.restorePublic()
	p.judgeScreens(rules, map[string]string{
		"/app/": "#certificate", "/app/certificates": ".person", self: "#qr", "/app/certificates/new": "#issue",
		"/app/counter": ".counter", "/app/me/access": ".log", "/app/me/sign-out": "#sign-out",
	})
}

// askForSelf asks for one's own certificate and gives the page of it.
func askForSelf(p *phone) string {
	p.t.Helper()
	p.tabTo("#ask")
	p.press(kb.Enter)
	p.reaches("/app/certificates/new")
	p.tabTo("[name=person]")
	p.tabTo("#issue")
	p.press(kb.Enter)
	at := p.certificateShown()
	p.sees("使います。氏名は漢字です")
	p.keep("app-certificate")
	return at
}

// askForChild goes back to the list and asks for one child's.
func askForChild(p *phone) string {
	p.t.Helper()
	before := value[string](p.window, "location.pathname")
	p.tabTo(".back a")
	p.press(kb.Enter)
	p.reaches("/app/certificates")
	given := p.house.Cast.Child.Name[strings.IndexAny(p.house.Cast.Child.Name, " 　")+1:]
	button := `[...document.querySelectorAll(".person")].find(s => s.textContent.includes(` + quote(given) + `))?.querySelector(".button")`
	p.until(button) // the address changes before the page is drawn
	child := value[string](p.window, button+".id")
	p.tabTo("#" + child)
	p.press(kb.Enter)
	p.reaches("/app/certificates/new")
	p.until("document.querySelector('#for-" + strings.TrimPrefix(child, "ask-") + "').checked")
	p.tabTo("[name=use]")
	p.press(kb.ArrowDown)
	p.until("document.querySelector('#use-overseas').checked")
	p.tabTo("#issue")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/certificates/crt_') && location.pathname !== " + quote(before))
	at := p.certificateShown()
	p.tabTo("#reveal")
	p.press(" ")
	p.sees(p.house.Cast.Child.NameLatin)
	return at
}

// verifyWithoutLine verifies what stands on the phone's screen at a desk whose line is cut:
// from the picture, from a scanner, and changed.
func verifyWithoutLine(t *testing.T, d *desk, photo []byte, rules string) {
	t.Helper()
	code := scan(t, photo)
	d.upload(photo)
	if words := d.verdict("valid"); !strings.Contains(words, "有効な証明書です") {
		t.Errorf("the verdict on the picture says %s", words)
	}
	if strings.Contains(d.text("#verdict summary"), d.house.Cast.Parent.Name) || value[bool](d.window, "document.querySelector('#holder').open") {
		t.Error("the holder is in sight before F8")
	}
	d.keep("desk-certificate")
	d.press(kb.F8)
	d.until("document.querySelector('#holder').open && document.querySelector('#holder dl').checkVisibility()")
	d.judge(rules, "valid certificate", deskWidth)

	d.press(kb.F2)
	d.until("document.activeElement?.id === 'insurer_number'")
	d.wedge(changeSignature(t, code))
	if words := d.verdict("bad_signature"); !strings.Contains(words, "署名が正しくありません") {
		t.Errorf("the verdict on a changed code says %s", words)
	}
	if strings.Contains(d.text("body"), d.house.Cast.Parent.Name) {
		t.Error("a claim of a changed certificate is shown")
	}
	d.judge(rules, "changed certificate", deskWidth)
	d.keep("desk-certificate-changed")

	d.press(kb.F2)
	d.until("document.activeElement?.id === 'insurer_number'")
	d.wedge(code)
	d.verdict("valid")
	d.upload(forge(t, changeSignature(t, code)))
	d.verdict("bad_signature")
	for _, l := range languages {
		d.visit(d.house.terminal.Desk() + "/?lang=" + l)
		d.upload(photo)
		d.verdict("valid")
		d.judge(rules, l+" valid certificate", deskWidth)
	}
}

// Who is no resident, or is registered twice, is told the counter to go to.
func TestUnlinkedPersonIsSentToTheCounter(t *testing.T) {
	h := openHouse(t)
	rules := axe(t)
	for _, one := range []struct {
		who             population.Part
		language, words string
	}{
		{h.Cast.Ambiguous, "ja-easy", "みなと市"},
		{h.Cast.Ambiguous, "en", "My Number Card"},
		{h.Cast.Nobody, "ja", "マイナンバーカードを持って、下の窓口にお越しください"},
	} {
		p := h.otherPhone()
		p.welcome(one.language)
		p.signInAs(one.who.Sub, one.who.Name)
		p.has(".counter")
		p.sees("市役所 本庁舎")
		p.sees(one.words)
		p.until("location.search === ''")
		p.judge(rules, one.language+" unlinked", narrowPhone)
		p.keep("app-unlinked")
	}
}
