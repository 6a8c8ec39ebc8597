package browser_test

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// phone is a citizen's window on the app.
type phone struct {
	*window
	house *house
}

// The size of a phone in CSS pixels.
const (
	phoneWidth, phoneHeight = 390, 844
	narrowPhone             = 320
)

func (h *house) phone() *phone {
	h.t.Helper()
	p := &phone{h.open("phone", phoneWidth, phoneHeight), h}
	p.allowNotifications(h.Public.URL())
	return p
}

// otherPhone is one that has never been here.
func (h *house) otherPhone() *phone {
	h.t.Helper()
	return &phone{h.openApart("another phone", phoneWidth, phoneHeight), h}
}

// go to a page of the app.
func (p *phone) at(path string) {
	p.t.Helper()
	p.visit(p.house.Public.URL() + path)
}

func (p *phone) reaches(path string) {
	p.t.Helper()
	p.until("location.pathname === " + quote(path) + " && document.querySelector('main h1')")
}

// signInAs signs a practice person in by the keyboard: the app's button, the provider's
// search, the person's line.
func (p *phone) signInAs(sub, name string) {
	p.t.Helper()
	p.at("/app/")
	p.tabTo("#sign-in")
	p.press(kb.Enter)
	p.choosePerson(sub, name)
}

// choosePerson searches the practice provider's list and takes one of it.
func (w *window) choosePerson(sub, name string) {
	w.t.Helper()
	w.until("document.activeElement?.id === 'q'")
	w.write(name)
	w.press(kb.Enter)
	line := fmt.Sprintf("a[data-sub=%q]", sub)
	w.until("new URLSearchParams(location.search).get('q') && document.querySelector(" + quote(line) + ")")
	w.tabTo(line)
	w.press(kb.Enter)
}

// home waits for the first page of a person who is signed in.
func (p *phone) home() {
	p.t.Helper()
	p.reaches("/app/")
	p.has("#certificate, #ask")
}

// ready waits until the service worker holds the shell.
func (p *phone) ready() {
	p.t.Helper()
	p.js(`navigator.serviceWorker.ready.then(r => r.active.state === "activated" ? 0 : new Promise(done => r.active.addEventListener("statechange", done)))`)
}

// certificateShown waits for a code that fills the screen's width, and gives its page.
func (p *phone) certificateShown() string {
	p.t.Helper()
	p.until(`(q => q?.complete && q.naturalWidth > 300 && q.getBoundingClientRect().width >= innerWidth * 0.8)(document.querySelector("#qr"))`)
	return value[string](p.window, "location.pathname")
}

// photograph gives what a camera in front of the phone sees: the whole screen, at the
// pixels that a phone's screen has.
func (p *phone) photograph() []byte {
	p.t.Helper()
	p.size(p.width, p.height, 3)
	png := p.picture()
	p.size(p.width, p.height, 1)
	return png
}

// welcome opens the app for the first time and chooses a language.
func (p *phone) welcome(l string) {
	p.t.Helper()
	p.at("/app/")
	p.has("#sign-in")
	p.choose(l)
}

// language chooses one on the page わたし.
func (p *phone) language(l string) {
	p.t.Helper()
	p.at("/app/me")
	p.choose(l)
}

func (p *phone) choose(l string) {
	p.t.Helper()
	p.has("#language-" + l)
	p.js("document.querySelector('#language-" + l + "').click()")
	p.until("document.documentElement.dataset.language === " + quote(l))
}

// judgeScreens looks at every screen of the app in three languages, with what is there.
func (p *phone) judgeScreens(axe string, paths map[string]string) {
	p.t.Helper()
	for _, l := range languages {
		p.language(l)
		for path, there := range paths {
			p.at(path)
			p.has(there)
			p.judge(axe, l+" "+strings.TrimPrefix(path, "/app"), narrowPhone)
		}
	}
	p.language("ja")
}
