package pwa_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/mobile-api/pwa/internal/bundle"
)

func TestCertificateWithTheLineCut(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	p.sees("することが2件あります")
	p.click("#certificate")
	p.until("document.querySelector('#qr')?.complete && document.querySelector('#qr').naturalWidth > 300")
	srv.cut()
	p.visit("/app/") // a fresh document, with nothing to answer it
	p.sees("通信できません。前に見た内容を表示しています。")
	p.sees("2026年11月21日（土） 19:10 に取得した内容です")
	p.shoot("offline-home")
	if axe, err := os.ReadFile("node_modules/axe-core/axe.min.js"); err == nil {
		p.judge(string(axe), "the first page without a line")
	}
	p.click("#certificate")
	p.until("document.querySelector('#qr')?.naturalWidth > 300")
	p.sees("オフラインでも表示できます（2026年11月21日（土）に取得）")
	if text := p.text("main"); strings.Contains(text, "ヴァシリエヴィチ") || strings.Contains(text, "1984") {
		t.Errorf("the name or birth date is in sight before a tap: %s", text)
	}
	p.click("#reveal")
	p.sees("髙橋﨑 ヴァシリエヴィチ")
	p.sees("1984年4月1日（日）")
	p.visit("/app/certificates/new")
	p.sees("いまは通信できません。この手続きは、通信できるようになると始められます。")
	p.until("document.querySelector('#issue').disabled")
	p.shoot("offline-ask")
	srv.connect()
	p.js("window.dispatchEvent(new Event('online'))")
	p.until("!document.querySelector('#issue').disabled && !document.querySelector('.strip')")
}

func TestUnlinkedPersonIsSentToTheCounter(t *testing.T) {
	srv := serveCanned(t)
	srv.code = "stranger"
	p := openPhone(t, srv)
	p.visit("/app/")
	p.click("#sign-in")
	p.sees("ご本人の登録を確認できませんでした")
	p.sees("市民課 2番窓口")
	p.sees("01JD4KQ7")
	p.shoot("unlinked")
	if search := p.text("html"); strings.Contains(search, "stranger") {
		t.Error("the code is still on the page")
	}
	p.until("location.search === ''")
	srv.with(func() { srv.code = "" })
	p.visit("/app/")
	p.click("#sign-in")
	p.sees("サインインは行われませんでした")
}

// A code that this tab did not ask for is not even sent.
func TestSignInStartedElsewhereIsRefused(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.visit("/app/sign-in?code=good&state=st")
	p.sees("別の画面で始められたものです")
	srv.with(func() {
		if srv.access != "" {
			t.Error("a token was given")
		}
	})
}

func TestSignInReturnsWhereOneWas(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.visit("/app/notices/" + carePlan)
	p.click("#sign-in")
	p.reaches("/app/notices/" + carePlan)
	p.sees("給付金を受け取る口座をえらんでください")
}

func TestAskingForACertificate(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.visit("/app/certificates/new?person=" + child + "&use=overseas")
	p.until("document.querySelector('#for-" + child + "')?.checked && document.querySelector('#use-overseas').checked")
	srv.with(func() { srv.noRecord = true })
	p.click("#issue")
	p.sees("役所に接種の記録がありません")
	p.sees("R4KQ-7XSM-2")
	p.js("document.querySelector('.refusal').scrollIntoView()")
	p.shoot("refused")
	p.sees("市民課 2番窓口")
	srv.with(func() { srv.noRecord = false; srv.hold = make(chan struct{}) })
	p.click("#issue")
	p.sees("発行しています")
	p.untilServer("the second ask", func() bool { return len(srv.keys) == 2 })
	srv.cut() // the answer is lost: it may or may not have been issued
	p.sees("二重には発行されません")
	srv.with(func() { close(srv.hold); srv.hold = nil })
	srv.connect()
	p.js("window.dispatchEvent(new Event('online'))")
	p.click("#issue")
	p.until("location.pathname.startsWith('/app/certificates/crt_') && document.querySelector('#qr')")
	srv.with(func() {
		if srv.keys[0] == srv.keys[1] || srv.keys[1] != srv.keys[2] || len(srv.keys[2]) < 16 {
			t.Errorf("keys %q: a refused ask ends its key, a lost answer keeps it", srv.keys)
		}
	})
}

func TestNewerRecord(t *testing.T) {
	srv := serveCanned(t)
	srv.certs[0].Superseded = true
	p := openPhone(t, srv)
	p.signIn()
	p.click("#certificate")
	p.sees("新しい記録があります")
	p.shoot("superseded")
	p.click("#reissue")
	p.reaches("/app/certificates/new")
	p.until("document.querySelector('#for-" + parent + "').checked && document.querySelector('#use-domestic').checked")
}

func TestReadReceiptWaitsForTheLine(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	srv.cut()
	p.visit("/app/notices")
	p.click("#" + carePlan)
	p.sees("10,000円")
	p.sees("読んだことは、通信できるときに窓口へ伝えます")
	p.visit("/app/me/sign-out")
	p.sees("いまサインアウトすると、伝わりません")
	srv.connect()
	p.visit("/app/notices/" + carePlan)
	p.untilServer("the read receipt", func() bool { return len(srv.reads) == 1 && srv.reads[0] == carePlan })
	p.sees("読んだことを窓口に伝えました")
}

func TestNoticeInTheChosenLanguage(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.language("en")
	p.visit("/app/notices/" + carePlan)
	p.sees("Choose the account for your benefit")
	p.sees("Japanese original")
	p.sees("給付金を受け取る口座をえらんでください")
	p.sees("By Tue 1 December 2026 (10 days left)")
	p.until("document.documentElement.lang === 'en' && document.querySelector('.original p').lang === 'ja'")
	p.language("ja-easy")
	p.visit("/app/notices/" + carePlan)
	p.sees("お金を もらう 口座を えらんでください")
	p.until("document.querySelectorAll('ruby rt').length > 3")
}

// TestATapOutlivesADrawing presses a button, has new data draw the screen anew, and lets go.
func TestATapOutlivesADrawing(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	p.visit("/app/me")
	p.until("document.querySelector('#language-en')")
	p.js(`(async () => {
		const old = document.querySelector("#language-en");
		window.pressed = old;
		const fire = (type) => old.dispatchEvent(new PointerEvent(type, { bubbles: true }));
		fire("pointerdown");
		window.dispatchEvent(new Event("offline")); // the line is gone: the screen is drawn anew
		for (let i = 0; i < 20; i++) await new Promise((done) => requestAnimationFrame(done));
		window.stayed = old.isConnected;
		old.click();
		fire("pointerup");
	})()`)
	p.until("window.stayed === true")
	p.until("document.documentElement.dataset.language === 'en'")
	p.until("!window.pressed.isConnected")
}

// registration gives the service worker's registration id.
func registration(p *phone) serviceworker.RegistrationID {
	p.t.Helper()
	events := chromedp.Events(p.ctx, serviceworker.WorkerRegistrationUpdated)
	if _, err := chromedp.Call(p.ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
	for ev, err := range events {
		if err != nil {
			p.t.Fatal(err)
		}
		for _, r := range ev.Registrations {
			if strings.HasSuffix(r.ScopeURL, "/app/") {
				return r.RegistrationID
			}
		}
	}
	p.t.Fatal("no registration")
	return ""
}

func (p *phone) push(id serviceworker.RegistrationID, data string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
		Origin: p.srv.url(), RegistrationID: id, Data: data,
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

const notifications = `navigator.serviceWorker.ready.then(r => r.getNotifications()).then(n => n.map(x => [x.title, x.body, x.tag, JSON.stringify(x.data)].join(" ")).join("\n"))`

func (p *phone) notifications() string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](notifications, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestPush(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	id := registration(p)
	const other = "psh_01jd000000000000000000000b"
	for _, bad := range []string{
		"", "no json", "[]", `{"data":{"v":"2","h":"` + other + `"}}`, `{"data":{"v":"1","h":"psh_short"}}`,
		`{"data":{"v":"1","h":"` + other + `","title":"secret"}}`, `{"v":"1","h":"` + other + `"}`,
		`{"data":{"v":"1","h":"ntc_01jd0000000000000000000009"}}`,
		`{"data":{"v":"1","h":"` + other + `"},"x":"` + strings.Repeat("x", 5000) + `"}`,
	} {
		p.push(id, bad)
	}
	p.push(id, `{"data":{"v":"1","h":"`+handle+`"},"from":"112233445566","fcmMessageId":"m","priority":"high"}`)
	p.sees("窓口から新しいお知らせが届きました")
	got := p.notifications()
	if want := "窓口からお知らせがあります  " + handle + ` {"handle":"` + handle + `"}`; got != want {
		t.Errorf("the notifications are\n%s\nwant only\n%s", got, want)
	}
	p.shoot("push")
	p.click("#news a")
	p.reaches("/app/notices/" + pushNote)
	p.sees("図書館からのお知らせ")
	p.untilServer("the read receipt", func() bool { return len(srv.reads) == 1 })
	srv.cut()
	p.visit("/app/notices/" + handle) // where a tapped notification leads, now without a line
	p.reaches("/app/notices/" + pushNote)
	p.sees("図書館からのお知らせ")
}

func TestRegisteringForPushes(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.visit("/app/me")
	p.click("#push-on")
	p.sees("このスマートフォンに通知しています")
	srv.with(func() {
		for id, token := range srv.devices {
			if len(id) < 22 || token != "practice:"+id+" ja" {
				t.Errorf("device %s registered as %s", id, token)
			}
		}
	})
	p.language("en")
	p.visit("/app/")
	p.untilServer("the new language", func() bool {
		for _, token := range srv.devices {
			return strings.HasSuffix(token, " en")
		}
		return false
	})
	p.visit("/app/me")
	p.click("#push-off")
	p.untilServer("the end of the registration", func() bool { return len(srv.devices) == 0 })
}

// All that happens at once when the app opens shares one refresh; a dead session keeps
// what was seen.
func TestOneRefreshAndADeadSession(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	srv.with(func() { srv.access = "" })
	p.visit("/app/me/access")
	p.sees("みなと市 保健センター")
	srv.with(func() {
		if srv.refreshes != 1 || srv.reused {
			t.Errorf("%d refreshes, reused %v", srv.refreshes, srv.reused)
		}
	})
	srv.with(func() { srv.access, srv.refresh = "", "" })
	p.visit("/app/")
	p.sees("サインインの期限が切れました")
	p.shoot("expired")
	p.click("#certificate")
	p.until("document.querySelector('#qr')?.naturalWidth > 300")
	p.click(".strip button")
	p.click("#sign-in")
	p.reaches("/app/")
	p.until("!document.querySelector('.strip')")
}

func TestAnotherPersonFindsNothingOfTheFirst(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	srv.with(func() { srv.access, srv.refresh = "", "" })
	p.visit("/app/")
	p.sees("サインインの期限が切れました")
	srv.with(func() { srv.subject, srv.certs, srv.notices = stranger, nil, []apiv1.Notice{} })
	p.visit("/app/sign-in")
	p.click("#sign-in")
	p.reaches("/app/")
	p.sees("いま、することはありません")
	p.sees("接種証明書は、まだ発行していません")
	p.shoot("nothing")
}

func TestSignOutLeavesNothing(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.visit("/app/me")
	p.click("#push-on")
	p.sees("このスマートフォンに通知しています")
	p.click("#to-sign-out")
	p.sees("サインアウトすると、このスマートフォンから次のものを消します。")
	p.click("#sign-out")
	p.sees("役所の窓口を、あなたの手もとに。")
	srv.with(func() {
		if !srv.signedOut || len(srv.devices) != 0 {
			t.Errorf("signed out %v, devices %v", srv.signedOut, srv.devices)
		}
	})
	if left := p.kept(); left != "device" && left != "device language" {
		t.Errorf("the phone still keeps %q", left)
	}
}

// kept names what the phone keeps.
func (p *phone) kept() string {
	p.t.Helper()
	names, err := p.keptNames()
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

func (p *phone) keptNames() (string, error) {
	return chromedp.Run(p.ctx, chromedp.Evaluate[string](`new Promise(done => { const o = indexedDB.open("madoguchi", 1); o.onsuccess = () => { const k = o.result.transaction("kept").objectStore("kept").getAllKeys(); k.onsuccess = () => done(k.result.join(" ")); }; })`, chromedp.EvalAwaitPromise))
}

// An answer that was on its way when the person signed out does not bring the data back.
func TestSignOutDuringAFetch(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	hold := make(chan struct{})
	srv.with(func() { srv.holdNotices = hold })
	p.visit("/app/me/sign-out")
	p.untilServer("the list being asked for", func() bool { return srv.heldNotices == 1 })
	p.click("#sign-out")
	p.until("document.querySelector('#sign-in')")
	close(hold)
	p.untilServer("the answer", func() bool { return srv.heldNotices == 0 })
	p.until("performance.getEntriesByType('resource').some(e => e.name.includes('/v1/notices') && e.responseEnd > 0)")
	p.js("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
	if left := p.kept(); left != "" && left != "language" {
		t.Errorf("the phone keeps %q", left)
	}
}

// keptValue gives one value as JSON.
func (p *phone) keptValue(name string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`new Promise(done => { const o = indexedDB.open("madoguchi", 1); o.onsuccess = () => { const k = o.result.transaction("kept").objectStore("kept").get(`+quote(name)+`); k.onsuccess = () => done(String(JSON.stringify(k.result))); }; })`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// A new build replaces the old shell; nothing stays stale for ever.
func TestANewBuildReplacesTheShell(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.visit("/app/")
	p.ready()
	next := filepath.Join(t.TempDir(), "src")
	if err := os.CopyFS(next, os.DirFS("src")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(next, "words", "ja.json"))
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), "役所の窓口を、あなたの手もとに。", "新しい版です。", 1)
	if err := os.WriteFile(filepath.Join(next, "words", "ja.json"), []byte(newer), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Build(next)
	if err != nil {
		t.Fatal(err)
	}
	srv.with(func() { srv.files = files })
	p.js("navigator.serviceWorker.getRegistration().then(r => r.update())")
	p.js(`navigator.serviceWorker.getRegistration().then(reg => new Promise(done => { const look = () => caches.keys().then(k => k.length > 1 && !reg.installing && !reg.waiting ? done() : setTimeout(look, 50)); look(); }))`)
	p.visit("/app/")
	p.sees("新しい版です。")
	keys, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`caches.keys().then(async ks => (await Promise.all(ks.map(async k => (await (await caches.open(k)).keys()).map(r => r.url)))).flat().join(" "))`, chromedp.EvalAwaitPromise))
	if err != nil || strings.Contains(keys, "/v1/") {
		t.Errorf("the service worker keeps answers of the API: %s (%v)", keys, err)
	}
}

// Paper shows what a verifier at a counter needs and no buttons; forced colours keep the QR
// black on white.
func TestPrintAndForcedColours(t *testing.T) {
	srv := serveCanned(t)
	p := openPhone(t, srv)
	p.signIn()
	p.click("#certificate")
	p.until("document.querySelector('#qr')?.naturalWidth > 300")
	p.media(emulation.SetEmulatedMediaParams{Media: "print"})
	p.until("document.querySelector('#identity').checkVisibility() && document.querySelector('#qr').checkVisibility()")
	p.until("![...document.querySelectorAll('button, nav, .back')].some(e => e.checkVisibility())")
	p.shoot("print")
	p.media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}})
	p.until("!document.querySelector('#identity').checkVisibility()")
	p.until("matchMedia('(forced-colors: active)').matches && getComputedStyle(document.querySelector('#qr')).forcedColorAdjust === 'none'")
	p.shoot("forced-colours")
	p.media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	p.until("matchMedia('(prefers-reduced-motion: reduce)').matches && document.getAnimations().length === 0")
}

func (p *phone) media(params emulation.SetEmulatedMediaParams) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, params); err != nil {
		p.t.Fatal(err)
	}
}

// The main act with the keyboard alone, and with the focus in sight all the way.
func TestKeyboardAlone(t *testing.T) {
	srv := serveCanned(t)
	srv.certs = nil
	p := openPhone(t, srv)
	p.visit("/app/")
	p.until("document.querySelector('#sign-in')")
	p.press(kb.Tab)
	p.until("document.activeElement.id === 'skip'")
	p.tabTo("#sign-in")
	p.press(kb.Enter)
	p.reaches("/app/")
	p.tabTo("#ask")
	p.press(kb.Enter)
	p.reaches("/app/certificates/new")
	p.until("document.activeElement.tagName === 'H1'")
	p.tabTo("[name=person]")
	p.press(kb.ArrowDown)
	p.until("document.querySelector('#for-" + child + "').checked")
	p.tabTo("[name=use]")
	p.tabTo("#issue")
	p.press(kb.Enter)
	p.until("document.querySelector('#qr')")
	p.tabTo("#reveal")
	p.press(" ")
	p.sees("髙橋﨑 みなみ")
	p.tabTo(".back a")
	p.press(kb.Enter)
	p.reaches("/app/certificates")
}

// screen is a page with something that stands on it, after an act where there is one.
type screen struct {
	name, path, there string
	act               func(p *phone)
}

// screens are all pages that a signed-in person reaches, but those about benefits and offers.
var screens = []screen{
	{name: "home", path: "/app/", there: "#certificate"},
	{name: "certificates", path: "/app/certificates", there: ".person"},
	{name: "certificate", path: "/app/certificates/crt_01jd0000000000000000000001", there: "#qr"},
	{name: "ask", path: "/app/certificates/new", there: "#issue"},
	{name: "notices", path: "/app/notices", there: ".rows"},
	{name: "notice", path: "/app/notices/" + carePlan, there: "#text"},
	{name: "me", path: "/app/me", there: "#pushes"},
	{name: "access", path: "/app/me/access", there: ".log"},
	{name: "sign-out", path: "/app/me/sign-out", there: "#sign-out"},
	{name: "counter", path: "/app/counter", there: ".counter"},
	{name: "missing", path: "/app/no-such-page", there: "h1"},
}

// TestEveryScreen looks at every screen in three languages: no accessibility fault that
// axe-core knows, no sideways scrolling at 320 px, targets of 44 px.
func TestEveryScreen(t *testing.T) {
	inspect(t, serveCanned(t), screens)
}

// inspect looks at the first opening and at these screens.
func inspect(t *testing.T, srv *canned, screens []screen) {
	t.Helper()
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		needs(t, "axe-core (npm ci in mobile-api/pwa)")
	}
	p := openPhone(t, srv)
	for _, language := range []string{"ja", "ja-easy", "en"} {
		p.visit("/app/")
		p.click("#language-" + language)
		p.until("document.documentElement.dataset.language === " + quote(language))
		p.look(string(axe), language+"-welcome")
		p.click("#sign-in")
		p.until("document.querySelector('#certificate')")
		p.ready()
		for _, s := range screens {
			p.goes(s.path)
			if s.act != nil {
				s.act(p)
			}
			p.until("document.querySelector(" + quote(s.there) + ")")
			p.look(string(axe), language+"-"+s.name)
		}
		p.goes("/app/me/sign-out")
		p.click("#sign-out")
		p.until("document.querySelector('#sign-in')")
	}
}

// goes follows a link to the path without loading the app anew.
func (p *phone) goes(path string) {
	p.t.Helper()
	p.js("document.querySelector('#main').append(Object.assign(document.createElement('i'), { id: 'before' }));" +
		"history.pushState(null, '', " + quote(path) + "); dispatchEvent(new PopStateEvent('popstate'))")
	p.until("!document.querySelector('#before') && document.querySelector('main h1')")
}

func (p *phone) look(axe, name string) {
	p.t.Helper()
	for _, size := range [][2]int64{{320, 640}, {768, 1024}, {1280, 800}, {390, 2600}, {390, 844}} {
		if size[1] == 2600 && os.Getenv("MADOGUCHI_SCREENSHOTS") == "" {
			continue // a long picture of what 390 × 844 judges
		}
		p.do(chromedp.EmulateViewport(size[0], size[1]))
		p.settles(size[0])
		p.shoot(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]))
		p.fits(name, size[0])
		if size[0] == 1280 {
			p.judge(axe, name+" at 1280 px")
		}
	}
	p.js("document.documentElement.style.fontSize = '200%'")
	p.settles(390)
	p.shoot(name + "-large")
	p.fits(name+" with text of 200 %", 390)
	p.js("document.documentElement.style.fontSize = ''")
	p.judge(axe, name)
}

// settles waits until the page has its width, its fonts and its pictures, and was drawn so.
func (p *phone) settles(width int64) {
	p.t.Helper()
	p.until(fmt.Sprintf("innerWidth === %d && [...document.images].every(i => i.complete) && !document.querySelector('canvas:not([data-drawn])')", width))
	if os.Getenv("MADOGUCHI_SCREENSHOTS") != "" { // measuring needs no picture
		p.js("document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))))")
	}
}

// judge lets axe-core look at the page as it is.
func (p *phone) judge(axe, name string) {
	p.t.Helper()
	there, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean(window.axe)"))
	if err != nil {
		p.t.Fatal(err)
	}
	if there {
		axe = "" // this document has it
	}
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](axe+`;
		axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]})
		.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n"))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	if found != "" {
		p.t.Errorf("%s: %s", name, found)
	}
}

// fits: nothing scrolls sideways and everything to tap is 44 px in both directions, links
// within a sentence aside.
func (p *phone) fits(name string, width int64) {
	p.t.Helper()
	bad, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(() => {
		const out = [];
		if (document.documentElement.scrollWidth > innerWidth) out.push("scrolls sideways to " + document.documentElement.scrollWidth);
		for (const e of document.querySelectorAll("a, button, .choice, summary")) {
			if (e.id === "skip" || !e.checkVisibility()) continue;
			const r = e.getBoundingClientRect();
			if (r.width < 44 || r.height < 43.9) out.push((e.id || e.className || e.textContent) + " is " + r.width + " × " + r.height);
		}
		return out.join("; ");
	})()`))
	if err != nil || bad != "" {
		p.t.Errorf("%s at %d px: %s (%v)", name, width, bad, err)
	}
}
