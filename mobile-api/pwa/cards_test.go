package pwa_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"

	"madoguchi.example/mobile-api/apiv1"
)

// openCards is a phone whose people have all kinds of certificates.
func openCards(t *testing.T) (*canned, *phone) {
	t.Helper()
	srv := serveCanned(t)
	srv.tellOfCards()
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	return srv, p
}

// types puts text where the focus is, as a keyboard or a clipboard does.
func (p *phone) types(css, text string) {
	p.t.Helper()
	p.until("document.querySelector(" + quote(css) + ")")
	p.js("document.querySelector(" + quote(css) + ").focus()")
	if _, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		p.t.Fatal(err)
	}
}

// scans reads the code that is on the screen; "" where no reader finds one.
func (p *phone) scans() string {
	p.t.Helper()
	p.js("document.querySelector('.qr').scrollIntoView({ block: 'center' })")
	p.settles(390)
	p.js("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
	raw, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	return read(p.t, raw)
}

// read is what a reader reads in a picture; "" where it finds no code.
func read(t *testing.T, raw []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(gozxing.NewLuminanceSourceFromImage(img)))
	if err != nil {
		t.Fatal(err)
	}
	found, err := zxing.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return ""
	}
	return found.GetText()
}

// focused waits until the element has the focus.
func (p *phone) focused(css string) {
	p.t.Helper()
	p.until("document.activeElement.matches(" + quote(css) + ")")
}

// Tabs for where it is used, and abroad the forms, by keyboard alone; what was chosen is
// there again after a drawing and after a reload.
func TestTabsAndForms(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/" + abroadCard)
	p.until("document.querySelector('[role=tab][aria-selected=true]').id === 'tab-overseas'")
	p.tabTo("#tab-overseas")
	p.press(kb.ArrowLeft)
	p.focused("#tab-domestic")
	p.sees("氏名は漢字です")
	p.until("document.querySelector('#panel-overseas').hidden && !document.querySelector('#panel-domestic').hidden && document.querySelectorAll('#qr').length === 1")
	p.press(kb.ArrowLeft) // round
	p.focused("#tab-overseas")
	p.press(kb.Home)
	p.focused("#tab-domestic")
	p.press(kb.End)
	p.focused("#tab-overseas")
	p.until("document.querySelector('#form-shc').checked")
	p.sees("アメリカやカナダなどの病院")
	p.tabTo("#form-shc")
	p.press(kb.ArrowDown)
	p.focused("#form-hcert")
	p.sees("EUの国と、WHOのしくみに加わる国で見せます。")
	p.sees("このコードに入るのは、2回のうち1回です。")
	p.until("document.querySelector('#qr').alt.includes('EU') && !document.querySelector('#save-file')")
	srv.cut()
	p.js("window.dispatchEvent(new Event('offline'))")
	p.sees("通信できません。")
	p.until("document.querySelector('#form-hcert').checked && document.activeElement.id === 'form-hcert'")
	p.do(chromedp.Reload())
	p.until("document.querySelector('#form-hcert')?.checked && document.querySelector('#qr').naturalWidth > 300")
	p.click("#which")
	p.reaches("/app/certificates/which")
	p.sees("空港や国境の入国審査")
}

// What stands on the screen is what a reader reads, but never of a specimen.
func TestCodesOnTheScreen(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/" + abroadCard)
	p.until("document.querySelector('#qr')?.naturalWidth > 300")
	if got := p.scans(); got != srv.certs[1].QRText {
		t.Errorf("the reader read %.40q", got)
	}
	p.click("#form-hcert")
	p.until("document.querySelector('#qr').alt.includes('EU')")
	if got := p.scans(); got != srv.certs[1].Renderings[1].QRText {
		t.Errorf("the reader read %.40q", got)
	}
	p.click("#form-vdsnc")
	p.sees("これは見本です。使えません。")
	p.until("document.querySelector('canvas#qr').dataset.drawn === 'yes'")
	if got := p.scans(); got != "" {
		t.Errorf("a reader took the specimen from the screen: %.40q", got)
	}
	border := srv.certs[1].Renderings[2]
	if got := read(t, border.QRPNG); got != border.QRText {
		t.Fatalf("the reader cannot read the unmarked picture: %.40q", got)
	}
	if got := read(t, p.canvas()); got != "" {
		t.Errorf("a reader took the specimen's picture: %.40q", got)
	}
	p.shoot("specimen")
	raw := "data:image/png;base64,"
	p.until("!document.querySelector('#save, #save-file, #print') && !document.querySelector('main').innerHTML.includes(" + quote(raw) + ")")
	p.until("document.querySelector('canvas#qr').getAttribute('aria-label').includes('見本')")
}

// canvas gives the specimen's picture as whoever copies it gets it.
func (p *phone) canvas() []byte {
	p.t.Helper()
	address, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.querySelector('canvas#qr').toDataURL('image/png')"))
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(address, "data:image/png;base64,"))
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

func TestSavingACertificate(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/" + firstCard)
	p.until("document.querySelector('#save-file')?.download === 'minato.smart-health-card'")
	p.until("document.querySelector('#save').download === 'madoguchi-domestic-shc-2026-11-01.png'")
	content, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.querySelector('#save-file').href"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(content, ",")
	if got, err := url.PathUnescape(body); err != nil || got != srv.certs[0].File || !strings.HasPrefix(content, "data:application/smart-health-card;") {
		t.Errorf("the file holds %s (%v)", got, err)
	}
	p.sees("証明書の番号：C1M4-P8TX-5")
}

// A certificate that was kept before there were several forms.
func TestACertificateOfBefore(t *testing.T) {
	srv := serveCanned(t)
	srv.certs[0].Renderings, srv.certs[0].LeftOut, srv.certs[0].Reference = nil, nil, ""
	p := openPhone(t, srv)
	p.signIn()
	p.click("#certificate")
	p.until("document.querySelector('#qr')?.naturalWidth > 300")
	p.sees("国内の施設や病院などで使います。氏名は漢字です。")
	if got := p.scans(); got != srv.certs[0].QRText {
		t.Errorf("the reader read %.40q", got)
	}
	p.click("#tab-overseas")
	p.click("#ask-use")
	p.reaches("/app/certificates/new")
	p.until("document.querySelector('#use-overseas').checked && document.querySelector('#for-" + parent + "').checked")
}

func TestARevokedCertificate(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates")
	p.until("document.querySelector('#older-" + parent + "')")
	p.click("#older-" + parent + " summary")
	p.until("document.querySelector('#" + goneCard + " s')")
	p.click("#" + goneCard)
	p.reaches("/app/certificates/" + goneCard)
	p.sees("2026年10月30日（金）に取り消されました")
	p.sees("接種の記録が訂正されたため")
	p.until("!document.querySelector('#qr, .qr, #save, #wallet') && document.querySelector('#struck s')")
	p.click("#reissue")
	p.reaches("/app/certificates/new")
	p.until("document.querySelector('#use-domestic').checked && document.querySelector('#for-" + parent + "').checked")
	at := moment(clock)
	srv.with(func() {
		for i := range srv.certs {
			srv.certs[i].RevokedAt, srv.certs[i].RevokedFor = &at, "key"
		}
	})
	p.visit("/app/")
	p.sees("取り消されました")
	srv.cut()
	p.visit("/app/")
	p.click("#certificate")
	p.sees("記録は変わっていません。発行しなおすと、また使えます。")
	p.until("!document.querySelector('#qr')")
}

// slipsOfAPassport is what is typed and what the phone says of it, without asking anybody.
var slipsOfAPassport = []struct {
	line  int
	typed string
	says  string
}{
	{0, "P<UTOERIKSSON<<ANNA", "いまは19文字です"},
	{0, passport[1], "1行目は「P」で始まり"},
	{0, strings.Replace(passport[0], "ERIKSSON", "ERIKSS0N", 1), "氏名のところに、数字"},
	{0, strings.Replace(passport[0], "<<ANNA", "・・ANNA", 1), "使える文字は"},
	{1, strings.Replace(passport[1], "L898902C3", "L898902C4", 1), "旅券番号（1〜10文字目）"},
	{1, strings.Replace(passport[1], "740812", "740813", 1), "生年月日（14〜20文字目）"},
	{1, strings.Replace(passport[1], "120415", "120416", 1), "有効期限（22〜28文字目）"},
	{1, strings.Replace(passport[1], "ZE184226B", "ZE184226C", 1), "後ろのほう（29〜43文字目）"},
	{1, strings.TrimSuffix(passport[1], "0") + "1", "この行のどこかがちがいます"},
}

func TestSlipsOfAPassport(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/new?use=overseas")
	p.until("document.querySelector('#passport')?.checkVisibility()")
	for _, s := range slipsOfAPassport {
		id := fmt.Sprintf("#mrz-%d", s.line)
		p.js("document.querySelector('" + id + "').value = ''")
		p.types(id, s.typed)
		p.js("document.activeElement.blur()")
		p.until("document.querySelector('" + id + "').getAttribute('aria-invalid') === 'true' && document.querySelector('" + id + "-fault').textContent.includes(" + quote(s.says) + ")")
	}
	p.click("#issue")
	p.focused("#mrz-0")
	for line, text := range passport {
		id := fmt.Sprintf("#mrz-%d", line)
		p.js("document.querySelector('" + id + "').value = ''")
		p.types(id, text)
		p.js("document.activeElement.blur()")
		p.until("document.querySelector('" + id + "').getAttribute('aria-invalid') === 'false' && document.querySelector('" + id + "-fault').textContent === ''")
	}
	srv.with(func() {
		if len(srv.asked) != 0 {
			t.Errorf("the server was asked %d times", len(srv.asked))
		}
	})
}

// The passport is typed with slips of the hand, sent once, and nowhere afterwards.
func TestAskingWithAPassport(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/new?person=" + parent)
	p.until("document.querySelector('#passport') && !document.querySelector('#passport').checkVisibility()")
	p.click("#use-overseas")
	p.types("#mrz-0", "p＜uto eriksson<<anna〈maria")
	p.until("document.querySelector('#mrz-0').value === 'P<UTOERIKSSON<<ANNA<MARIA'")
	p.sees("25／44文字")
	p.click("#mrz-0-fill")
	p.until("document.querySelector('#mrz-0').value === " + quote(passport[0]) + " && document.querySelector('#mrz-0-fault').textContent === ''")
	p.types("#mrz-1", passport[1][:37])
	p.click("#mrz-1-filler")
	p.types("#mrz-1", passport[1][38:43]+"1")
	p.click("#issue")
	p.sees("この行のどこかがちがいます")
	p.focused("#mrz-1")
	p.press(kb.End)
	p.press(kb.Backspace)
	p.types("#mrz-1", passport[1][43:])
	srv.with(func() { srv.mrzReason = "other_birth_date" })
	p.click("#issue")
	p.sees("生年月日が、役所の記録とちがいます")
	p.focused("#mrz-1")
	p.until("document.querySelector('#correct').href.endsWith('person=" + parent + "&kind=name')")
	p.until("document.querySelector('#mrz-1').value === " + quote(passport[1])) // to be mended, not typed again
	p.shoot("passport-refused")
	srv.with(func() { srv.mrzReason = "" })
	p.click("#issue")
	p.until("document.querySelector('#form-vdsnc')")
	srv.with(func() {
		if last := srv.asked[len(srv.asked)-1].Body; !slices.Equal(last.MRZ, passport) || last.Use != "overseas" || len(srv.asked) != 2 {
			t.Errorf("asked %d times, last %+v", len(srv.asked), last)
		}
	})
	p.keepsNothingOf(passport[0][5:13], passport[1][:9])
	p.visit("/app/certificates/new?use=overseas")
	p.until("document.querySelector('#mrz-0')?.value === '' && document.querySelector('#mrz-1').value === ''")
	p.click("#issue")
	p.until("document.querySelector('#with-passport')")
	srv.with(func() {
		if last := srv.asked[len(srv.asked)-1].Body; last.MRZ != nil {
			t.Errorf("asked with %q", last.MRZ)
		}
	})
}

// keepsNothingOf looks everywhere that the page can keep something.
func (p *phone) keepsNothingOf(secrets ...string) {
	p.t.Helper()
	all, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`new Promise(done => { const o = indexedDB.open("madoguchi", 1); o.onsuccess = () => { const k = o.result.transaction("kept").objectStore("kept").getAll(); k.onsuccess = () => done(JSON.stringify([k.result, {...localStorage}, {...sessionStorage}, history.state, location.href, document.body.textContent])); }; })`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(all, s) {
			p.t.Errorf("the phone keeps %q", s)
		}
	}
}

func TestBothLinesOfAPassportAtOnce(t *testing.T) {
	_, p := openCards(t)
	p.visit("/app/certificates/new?use=overseas")
	p.types("#mrz-0", passport[0]+"\n"+passport[1]+"\n")
	p.until("document.querySelector('#mrz-0').value === " + quote(passport[0]) + " && document.querySelector('#mrz-1').value === " + quote(passport[1]))
	p.focused("#mrz-1")
	p.until("document.querySelector('#mrz-0').autocomplete === 'off'")
}

// A refusal is no dead end: it leads to the correction, and that to a number.
func TestFromARefusalToACorrection(t *testing.T) {
	srv, p := openCards(t)
	srv.with(func() { srv.noRecord = true })
	p.visit("/app/certificates/new?person=" + child)
	p.click("#issue")
	p.sees("役所に接種の記録がありません")
	p.sees("R4KQ-7XSM-2")
	p.focused("#refusal")
	p.click("#correct")
	p.reaches("/app/corrections/new")
	p.until("document.querySelector('#kind-missing').checked && document.querySelector('#for-" + child + "').checked")
	p.click("#send")
	p.sees("なにがちがうかを書いてください。")
	p.focused("#words")
	p.types("#words", "2025年11月に中央病院で受けた接種がのっていません。")
	p.sees("28／1000文字")
	srv.with(func() { srv.hold = make(chan struct{}) })
	p.click("#send")
	p.untilServer("the correction", func() bool { return len(srv.wrong) == 1 })
	srv.cut()
	p.sees("もう一度押しても、二重にはなりません")
	srv.with(func() { close(srv.hold); srv.hold = nil })
	p.back()
	p.click("#send")
	p.reaches("/app/corrections/K9ZZ-4WRT-6")
	p.sees("窓口が確かめています")
	p.until("parseFloat(getComputedStyle(document.querySelector('#number')).fontSize) >= 24")
	p.shoot("correction-sent")
	srv.with(func() {
		body := srv.wrong[1].Body
		if srv.wrongKeys[0] != srv.wrongKeys[1] || body.Person != child || body.Kind != "missing" || body.Certificate != "" || body.Dose != 0 {
			t.Errorf("keys %q, asked %+v", srv.wrongKeys, body)
		}
	})
	if draft := p.keptValue("draft"); draft != "undefined" {
		t.Errorf("the phone keeps %s", draft)
	}
	p.click(".back a")
	p.reaches("/app/corrections")
	p.sees("番号 K9ZZ-4WRT-6")
	p.until("!document.querySelector('#waits')")
}

// What was written waits on the phone while there is no line.
func TestACorrectionWaitsForTheLine(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/" + firstCard)
	p.click("#correct")
	p.reaches("/app/corrections/new")
	p.until("document.querySelector('#kind-wrong').checked && document.querySelectorAll('#doses input').length === 3")
	p.click("#dose-1")
	srv.cut()
	p.js("window.dispatchEvent(new Event('offline'))")
	p.sees("書いた内容はこのスマートフォンに残っています")
	p.types("#words", "2回目の日付がちがいます。")
	p.until("document.querySelector('#send').disabled")
	p.untilKeeps("draft", "2回目の日付がちがいます。")
	p.shoot("correction-offline")
	p.visit("/app/corrections")
	p.sees("まだ送っていない申し出があります")
	p.sees("2026年11月21日（土） 19:10 に取得した内容です")
	p.shoot("corrections-offline")
	p.click("#go-on")
	p.reaches("/app/corrections/new")
	p.until("document.querySelector('#words').value === '2回目の日付がちがいます。' && document.querySelector('#dose-1').checked")
	p.back()
	p.click("#send")
	p.reaches("/app/corrections/K9ZZ-4WRT-6")
	srv.with(func() {
		if body := srv.wrong[0].Body; len(srv.wrong) != 1 || body.Kind != "wrong" || body.Certificate == "" || body.Dose != 2 || body.Person != parent {
			t.Errorf("asked %+v", srv.wrong)
		}
	})
}

// untilKeeps waits until the value that the phone keeps under the name holds the text.
func (p *phone) untilKeeps(name, text string) {
	p.t.Helper()
	p.until(`new Promise(done => { const o = indexedDB.open("madoguchi", 1); o.onsuccess = () => { const k = o.result.transaction("kept").objectStore("kept").get(` + quote(name) + `); k.onsuccess = () => done(JSON.stringify(k.result ?? "").includes(` + quote(text) + `)); }; })`)
}

// A number that may be a My Number is refused by the server and never kept on the phone.
func TestACorrectionWithAMyNumber(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/corrections/new")
	p.types("#words", "番号は"+myNumber+"です")
	p.click("#send")
	p.sees("マイナンバーは書かないでください。番号を消して")
	p.focused("#words")
	p.until("document.querySelector('#words').value.includes(" + quote(myNumber) + ")")
	p.keepsNothingOf(myNumber)
	p.js("document.querySelector('#words').value = ''")
	p.types("#words", "番号のない説明です")
	p.click("#send")
	p.reaches("/app/corrections/K9ZZ-4WRT-6")
	srv.with(func() {
		if srv.wrongKeys[0] == srv.wrongKeys[1] {
			t.Error("a refused text and a mended one were sent under one key")
		}
	})
}

func TestTheAnswerToACorrection(t *testing.T) {
	srv, p := openCards(t)
	about := notice("ntc_01jd0000000000000000000006", "information", "2026-11-21T05:00:00Z", "", "記録を訂正しました", "きろくを なおしました", "The record was corrected")
	about.About = &apiv1.About{Kind: "correction", ID: closedCase}
	srv.with(func() { srv.notices = append([]apiv1.Notice{about}, srv.notices...) })
	p.visit("/app/notices")
	p.click("#" + about.ID)
	p.click("#about")
	p.reaches("/app/corrections/" + closedCase)
	p.sees("2回目の製造番号を GB5679 に訂正しました。")
	srv.cut()
	p.visit("/app/corrections/" + closedCase)
	p.sees("2回目の製造番号を GB5679 に訂正しました。")
	p.sees("2026年11月21日（土） 19:10 に取得した内容です")
	p.click("#reissue")
	p.reaches("/app/certificates/new")
}

func TestAddingToAWallet(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates/" + firstCard)
	p.click("#wallet")
	p.sees("ウォレットアプリに、この証明書の写しが入ります")
	srv.with(func() { srv.hold = make(chan struct{}) })
	p.click("#make-offer")
	p.untilServer("the offer", func() bool { return len(srv.offerKeys) == 1 })
	srv.cut()
	p.sees("通信が切れ、準備できませんでした")
	srv.with(func() { close(srv.hold); srv.hold = nil })
	p.back()
	p.click("#make-offer")
	p.sees("042 917")
	p.focused("#code-title")
	p.sees("19:20まで使えます（あと10分ほど）")
	p.until("document.querySelector('#open-wallet').href.startsWith('openid-credential-offer://?')")
	p.until("document.querySelector('#offer-qr').naturalWidth > 100 && parseFloat(getComputedStyle(document.querySelector('#code')).fontSize) >= 32")
	p.shoot("wallet-offer")
	p.keepsNothingOfTheOffer()
	p.js("window.later = 9.5 * 60000")
	p.sees("19:20まで使えます（あと1分ほど）")
	p.js("document.querySelector('#open-wallet').focus(); window.later = 10 * 60000 + 1")
	p.sees("この番号は使えなくなりました")
	p.focused("#make-offer")
	p.until("!document.querySelector('#code, #open-wallet, #offer-qr')")
	p.shoot("wallet-over")
	p.js("window.later = 0")
	p.press(kb.Enter)
	p.sees("042 917")
	srv.with(func() {
		if len(srv.offerKeys) != 3 || srv.offerKeys[0] != srv.offerKeys[1] || srv.offerKeys[2] == srv.offerKeys[1] {
			t.Errorf("keys %q: a lost answer keeps its key, a new offer has a new one", srv.offerKeys)
		}
	})
	srv.with(func() { srv.stale = true })
	p.visit("/app/certificates/" + firstCard + "?step=wallet")
	p.click("#make-offer")
	p.sees("この証明書は、ウォレットに入れられません")
	p.click("#reissue")
	p.reaches("/app/certificates/new")
	srv.cut()
	p.visit("/app/certificates/" + firstCard + "?step=wallet")
	p.sees("いまは通信できません。")
	p.until("document.querySelector('#make-offer').disabled")
}

// keepsNothingOfTheOffer: the code is on the screen and nowhere else.
func (p *phone) keepsNothingOfTheOffer() {
	p.t.Helper()
	for _, name := range strings.Fields(p.kept()) {
		if v := p.keptValue(name); strings.Contains(v, "042917") || strings.Contains(v, "openid-credential-offer") {
			p.t.Errorf("the phone keeps the offer in %s", name)
		}
	}
}

// From the list to a form abroad, the wallet and a correction, with the keyboard alone.
func TestCardsByKeyboardAlone(t *testing.T) {
	srv, p := openCards(t)
	p.visit("/app/certificates")
	p.tabTo("#" + abroadCard)
	p.press(kb.Enter)
	p.reaches("/app/certificates/" + abroadCard)
	p.until("document.activeElement.tagName === 'H1'")
	p.tabTo("#tab-overseas")
	p.tabTo("#form-shc")
	p.press(kb.ArrowUp)
	p.focused("#form-vdsnc")
	p.sees("これは見本です")
	p.press(kb.ArrowDown)
	p.focused("#form-shc")
	p.tabTo("#wallet")
	p.press(kb.Enter)
	p.until("document.querySelector('#make-offer') && document.activeElement.tagName === 'H1'")
	p.tabTo("#make-offer")
	p.press(kb.Enter)
	p.focused("#code-title")
	p.tabTo("#open-wallet")
	p.tabTo(".back a")
	p.press(kb.Enter)
	p.reaches("/app/certificates/" + abroadCard)
	p.tabTo("#correct")
	p.press(kb.Enter)
	p.reaches("/app/corrections/new")
	p.until("document.activeElement.tagName === 'H1'")
	p.tabTo("[name=kind]")
	p.press(kb.ArrowDown)
	p.focused("#kind-name")
	p.tabTo("#words")
	p.types("#words", "姓が変わりました。")
	p.tabTo("#send")
	p.press(kb.Enter)
	p.reaches("/app/corrections/K9ZZ-4WRT-6")
	p.until("document.activeElement.tagName === 'H1'")
	srv.with(func() {
		if len(srv.wrong) != 1 || srv.wrong[0].Body.Kind != "name" || srv.wrong[0].Body.Words != "姓が変わりました。" {
			t.Errorf("asked %+v", srv.wrong)
		}
	})
}

// Paper says where the code is for, and a specimen stays one.
func TestPrintAbroad(t *testing.T) {
	_, p := openCards(t)
	p.visit("/app/certificates/" + abroadCard)
	p.click("#form-vdsnc")
	p.until("document.querySelector('canvas#qr')?.dataset.drawn === 'yes'")
	p.media(emulation.SetEmulatedMediaParams{Media: "print"})
	p.until("document.querySelector('.on-paper').checkVisibility() && document.querySelector('#specimen').checkVisibility() && document.querySelector('#identity').checkVisibility()")
	p.until("![...document.querySelectorAll('button, .button, nav, .tabs, .forms, .back, #which, #correct')].some(e => e.checkVisibility())")
	p.shoot("print-specimen")
	p.media(emulation.SetEmulatedMediaParams{})
	p.click("#form-hcert")
	p.media(emulation.SetEmulatedMediaParams{Media: "print"})
	p.until("document.querySelector('.on-paper').textContent.includes('HC1') && document.querySelector('img#qr').checkVisibility()")
	p.shoot("print-abroad")
}

// cardScreens are the pages about certificates, corrections and wallets, and the states of
// them that a person can come to.
var cardScreens = []screen{
	{name: "cards", path: "/app/certificates", there: "#corrections"},
	{name: "card-abroad", path: "/app/certificates/" + abroadCard, there: "#form-vdsnc"},
	{name: "card-specimen", path: "/app/certificates/" + abroadCard, there: "canvas[data-drawn]", act: func(p *phone) { p.click("#form-vdsnc") }},
	{name: "card-without-passport", path: "/app/certificates/" + bareCard, there: "#with-passport"},
	{name: "card-revoked", path: "/app/certificates/" + goneCard, there: "#revoked"},
	{name: "card-none", path: "/app/certificates/" + bareCard, there: "#ask-use", act: func(p *phone) { p.click("#tab-domestic") }},
	{name: "card-wallet", path: "/app/certificates/" + firstCard + "?step=wallet", there: "#make-offer"},
	{name: "card-wallet-offer", path: "/app/certificates/" + firstCard + "?step=wallet", there: "#code", act: func(p *phone) { p.click("#make-offer") }},
	{name: "which", path: "/app/certificates/which", there: ".places"},
	{name: "ask-abroad", path: "/app/certificates/new?use=overseas", there: "#mrz-0"},
	{name: "ask-slips", path: "/app/certificates/new?use=overseas", there: "#mrz-1-fault p", act: func(p *phone) {
		p.types("#mrz-0", passport[0])
		p.types("#mrz-1", strings.Replace(passport[1], "7408122", "7408123", 1))
		p.click("#issue")
	}},
	{name: "ask-refused", path: "/app/certificates/new?person=" + child, there: "#correct", act: func(p *phone) {
		p.srv.with(func() { p.srv.noRecord = true })
		p.click("#issue")
	}},
	{name: "correct", path: "/app/corrections/new?certificate=" + firstCard, there: "#doses"},
	{name: "correct-refused", path: "/app/corrections/new?kind=name", there: "#words-fault p", act: func(p *phone) {
		p.types("#words", myNumber)
		p.click("#send")
	}},
	{name: "corrections", path: "/app/corrections", there: ".rows"},
	{name: "correction-open", path: "/app/corrections/" + openCase, there: "#number"},
	{name: "correction-closed", path: "/app/corrections/" + closedCase, there: "#answer"},
}

func TestEveryScreenOfCards(t *testing.T) {
	srv := serveCanned(t)
	srv.tellOfCards()
	inspect(t, srv, cardScreens)
}

// The catalogue names every slip that the server may name.
func TestEverySlipHasWords(t *testing.T) {
	text, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(doc.Components.Schemas["Problem"].Properties["reason"].Description, "): ")
	if !ok {
		t.Fatal("the contract names no reasons")
	}
	ja := words(t, "ja")
	for reason := range strings.SplitSeq(list, ", ") {
		if ja["mrz."+reason] == "" {
			t.Errorf("no words for the slip %q", reason)
		}
	}
}
