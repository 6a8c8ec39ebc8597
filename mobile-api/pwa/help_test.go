package pwa_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/mobile-api/apiv1"
)

// openHelp is a phone whose person has a benefit and an offer.
func openHelp(t *testing.T) (*canned, *phone) {
	t.Helper()
	srv := serveCanned(t)
	srv.tellOfHelp()
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	return srv, p
}

// back brings the line back, and the page hears of it.
func (p *phone) back() {
	p.t.Helper()
	p.srv.connect()
	p.js("window.dispatchEvent(new Event('online'))")
}

func TestRefusingABenefit(t *testing.T) {
	srv, p := openHelp(t)
	p.sees("することが2件あります") // the benefit asks for nothing
	p.sees("2026年12月5日（土）までに返事ができます（あと14日）")
	p.sees("なにもしなければ、支払われます")
	p.until("[...document.querySelectorAll('#todo ~ ul a')].map(a => a.id).join() === " + quote("todo-"+carePlan+",todo-"+allowance+",todo-"+schedule+",todo-"+talk))
	p.click("#todo-" + allowance) // its notice was not read yet: that comes first
	p.reaches("/app/notices/" + moneyNote)
	p.untilServer("the read receipt", func() bool { return len(srv.reads) == 1 && srv.reads[0] == moneyNote })
	p.click("#about")
	p.reaches("/app/benefits/" + allowance)
	p.sees("40,000円")
	p.sees("令和7年度補正予算")
	p.until("!document.querySelector('#step-1').open")
	p.click("#step-1 summary")
	p.sees("物価高対応子育て応援手当支給要領 第3条第1項")
	p.click("#to-refuse")
	p.sees("この給付を辞退しますか")
	p.sees("このお金は支払われません。")
	p.shoot("refuse")
	srv.with(func() { srv.holdAnswer = make(chan struct{}) })
	p.click("#refuse")
	p.sees("役所に伝えています")
	p.untilServer("the refusal", func() bool { return len(srv.refusals) == 1 })
	srv.cut() // the answer is lost
	p.sees("もう一度押しても、二重にはなりません")
	p.shoot("refuse-lost")
	srv.with(func() { close(srv.holdAnswer); srv.holdAnswer = nil })
	srv.connect()
	p.click("#refuse")
	p.reaches("/app/benefits/" + allowance)
	p.sees("辞退しました")
	p.shoot("refused-benefit")
	srv.with(func() {
		if len(srv.refusals) != 2 || srv.refusals[0] != srv.refusals[1] || len(srv.refusals[0]) < 16 {
			t.Errorf("keys %q: a lost answer keeps its key", srv.refusals)
		}
	})
	p.until("!document.querySelector('#to-refuse')")
	p.visit("/app/")
	p.until("document.querySelector('#todo') && !document.querySelector('#todo-" + allowance + "')")
	if acts := p.keptValue("acts"); acts != "{}" && acts != "undefined" {
		t.Errorf("the phone keeps the key of an act that is done: %s", acts)
	}
}

// The deadline passes while the question is on the screen: the server says so, and the
// person learns whom to call.
func TestTheDeadlinePassesWhileABenefitIsOpen(t *testing.T) {
	srv, p := openHelp(t)
	p.visit("/app/benefits/" + allowance + "?step=refuse")
	p.until("document.querySelector('#refuse')")
	srv.with(func() { srv.helpOver = true })
	p.click("#refuse")
	p.sees("返事の期限が終わったため、アプリでは辞退できません")
	p.sees("市民課 2番窓口")
	p.sees("000-0000-0000")
	p.until("document.querySelector('#refuse').disabled")
	p.js("document.querySelector('.refusal').scrollIntoView()")
	p.shoot("refuse-late")
	p.click("#keep")
	p.reaches("/app/benefits/" + allowance)
	p.sees("支払いの前の確認をしています")
	p.until("!document.querySelector('#to-refuse')")
}

// What the phone keeps from before the deadline does not offer what is over.
func TestADeadlineThatPassedIsOver(t *testing.T) {
	srv := serveCanned(t)
	srv.tellOfHelp()
	srv.benefits[0].AnswerBy = "2026-11-20"
	p := openPhone(t, srv)
	p.signIn()
	p.until("document.querySelector('#todo') && !document.querySelector('#todo-" + allowance + "')")
	p.visit("/app/benefits/" + allowance)
	p.sees("返事の期限は終わりました")
	p.until("!document.querySelector('#to-refuse')")
	p.visit("/app/benefits/" + allowance + "?step=refuse")
	p.sees("いまはアプリで辞退できません")
	p.until("!document.querySelector('#refuse')")
}

func TestTheLastDayIsStillOpen(t *testing.T) {
	srv := serveCanned(t)
	srv.tellOfHelp()
	srv.benefits[0].AnswerBy = "2026-11-21"
	p := openPhone(t, srv)
	p.signIn()
	p.sees("2026年11月21日（土）までに返事ができます（きょう）")
	p.visit("/app/benefits/" + allowance)
	p.until("document.querySelector('#to-refuse')")
}

// Silence does not count before the notice is read, so reading it is the thing to do.
func TestABenefitWhoseNoticeWaits(t *testing.T) {
	srv := serveCanned(t)
	srv.tellOfHelp()
	srv.benefits[0].State, srv.benefits[0].AnswerBy = "noticed", ""
	p := openPhone(t, srv)
	p.signIn()
	p.ready()
	p.sees("することが3件あります")
	p.sees("お知らせを読んでください")
	p.visit("/app/benefits/" + allowance)
	p.sees("読むまで、返事の期限は来ません")
	p.shoot("benefit-unread")
	p.click("#read-notice")
	p.reaches("/app/notices/" + moneyNote)
	p.untilServer("the read receipt", func() bool { return len(srv.reads) == 1 })
	srv.with(func() { srv.benefits[0].State, srv.benefits[0].AnswerBy = "proven", "2026-12-05" })
	p.visit("/app/")
	p.sees("なにもしなければ、支払われます")
	p.sees("することが2件あります")
	p.click("#todo-" + allowance)
	p.reaches("/app/benefits/" + allowance)
}

func TestABenefitThatCannotBeTold(t *testing.T) {
	srv := serveCanned(t)
	srv.benefits = append(srv.benefits, cannedQuestion())
	p := openPhone(t, srv)
	p.signIn()
	p.sees("わからない情報があります")
	p.click("#todo-" + question)
	p.reaches("/app/benefits/" + question)
	p.sees("まだ決まっていません")
	p.sees("児童手当が勤務先から支払われるか（公務員）")
	p.sees("000-0000-0000")
	p.until("document.querySelectorAll('#needs li').length === 2 && !document.querySelector('#to-refuse') && !document.querySelector('#amount')")
}

func TestBenefitsAndOffersWithoutALine(t *testing.T) {
	srv, p := openHelp(t)
	srv.cut()
	p.visit("/app/benefits")
	p.sees("2026年11月21日（土） 19:10 に取得した内容です")
	p.click("#" + allowance)
	p.reaches("/app/benefits/" + allowance)
	p.sees("40,000円")
	p.sees("2026年11月21日（土） 19:10 に取得した内容です")
	p.shoot("offline-benefit")
	p.click("#to-refuse")
	p.sees("いまは通信できません。この手続きは、通信できるようになると始められます。")
	p.sees("お急ぎのときは、窓口にお電話ください。")
	p.until("document.querySelector('#refuse').disabled")
	p.shoot("offline-refuse")
	p.visit("/app/offers/" + talk)
	p.sees("こども家庭センター")
	p.sees("いまは通信できません。")
	p.until("document.querySelector('#answer-accepted').disabled && document.querySelector('#answer-declined').disabled")
	p.shoot("offline-offer")
	p.back()
	p.until("!document.querySelector('#answer-accepted').disabled && !document.querySelector('.strip')")
	if len(srv.refusals)+len(srv.answers) != 0 {
		t.Error("an act began without a line")
	}
}

func TestAnsweringAnOffer(t *testing.T) {
	srv, p := openHelp(t)
	p.click("#todo-" + talk)
	p.reaches("/app/notices/" + talkNote)
	p.click("#about")
	p.reaches("/app/offers/" + talk)
	p.sees("ことわっても、ほかの手続きに影響はありません。")
	p.click("#answer-declined")
	p.sees("「利用しない」と返事しました")
	p.until("document.querySelector('#answer-declined').disabled && !document.querySelector('#answer-accepted').disabled")
	srv.with(func() { srv.holdAnswer = make(chan struct{}) })
	p.click("#answer-accepted")
	p.untilServer("the second answer", func() bool { return len(srv.answers) == 2 })
	srv.cut()
	p.sees("もう一度押しても、二重にはなりません")
	srv.with(func() { close(srv.holdAnswer); srv.holdAnswer = nil })
	srv.connect()
	p.click("#answer-accepted")
	p.sees("「利用したい」と返事しました")
	p.shoot("offer-accepted")
	p.visit("/app/")
	p.until("document.querySelector('#todo') && !document.querySelector('#todo-" + talk + "')")
	p.visit("/app/offers/" + talk)
	p.until("document.querySelector('#answer-declined')")
	srv.with(func() { srv.helpOver = true })
	p.click("#answer-declined")
	p.sees("受付は終わりました")
	p.sees("市民課 2番窓口")
	p.shoot("offer-over")
	srv.with(func() {
		if got := strings.Join(srv.answers, " "); got != "declined accepted accepted declined" {
			t.Errorf("answers %s", got)
		}
	})
	p.visit("/app/offers/" + talk)
	p.until("!document.querySelector('#answers')")
	p.sees("「利用したい」と返事しました")
}

// The two acts by keyboard, with the focus in sight all the way.
func TestHelpByKeyboardAlone(t *testing.T) {
	srv, p := openHelp(t)
	p.visit("/app/offers/" + talk)
	p.tabTo("#answer-accepted")
	p.press(kb.Enter)
	p.sees("「利用したい」と返事しました")
	p.until("document.activeElement.id === 'answered'")
	p.visit("/app/me")
	p.tabTo("#benefits")
	p.press(kb.Enter)
	p.reaches("/app/benefits")
	p.tabTo("#" + allowance)
	p.press(kb.Enter)
	p.reaches("/app/benefits/" + allowance)
	p.until("document.activeElement.tagName === 'H1'")
	p.tabTo("#step-0 summary")
	p.press(kb.Enter)
	p.until("document.querySelector('#step-0').open")
	p.tabTo("#to-refuse")
	p.press(kb.Enter)
	p.until("document.activeElement.tagName === 'H1' && document.querySelector('#refuse')")
	p.tabTo("#refuse")
	p.press(kb.Enter)
	p.sees("辞退しました")
	p.reaches("/app/benefits/" + allowance)
	p.until("document.activeElement.tagName === 'H1'")
	srv.with(func() {
		if len(srv.refusals) != 1 || len(srv.answers) != 1 {
			t.Errorf("%d refusals, %d answers", len(srv.refusals), len(srv.answers))
		}
	})
}

// A push is faster than the lists: what its notice leads to is fetched when it is opened.
func TestAnOfferThatCameWithAPush(t *testing.T) {
	srv, p := openHelp(t)
	second := cannedOffer()
	second.ID = "off_01jd0000000000000000000002"
	srv.with(func() { srv.offers = append([]apiv1.Offer{second}, srv.offers...) })
	p.js("history.pushState(null, '', '/app/offers/" + second.ID + "'); dispatchEvent(new PopStateEvent('popstate'))")
	p.until("document.querySelector('#answer-accepted')")
}

// helpScreens are the pages about benefits and offers, and the others as they look then.
var helpScreens = []screen{
	{name: "home-help", path: "/app/", there: "#todo-" + allowance},
	{name: "notice-benefit", path: "/app/notices/" + moneyNote, there: "#about"},
	{name: "benefits", path: "/app/benefits", there: ".rows"},
	{name: "benefit", path: "/app/benefits/" + allowance, there: "#to-refuse"},
	{name: "benefit-question", path: "/app/benefits/" + question, there: "#needs"},
	{name: "benefit-paid", path: "/app/benefits/" + earlierPaid, there: ".timeline"},
	{name: "benefit-refuse", path: "/app/benefits/" + allowance + "?step=refuse", there: "#refuse"},
	{name: "offer", path: "/app/offers/" + talk, there: "#answers"},
}

func TestEveryScreenOfHelp(t *testing.T) {
	srv := serveCanned(t)
	paid := srv.benefits[0]
	srv.tellOfHelp()
	srv.benefits = append(srv.benefits, cannedQuestion(), paid)
	srv.notices = srv.notices[:2]
	inspect(t, srv, helpScreens)
}

// New data come while a finger is on the button: the drawing that waited for the finger does
// not take the act's outcome off the screen.
func TestAnActOutlivesADrawingThatWaited(t *testing.T) {
	srv, p := openHelp(t)
	p.visit("/app/offers/" + talk)
	p.until("document.querySelector('#answer-accepted:enabled')")
	srv.with(func() { srv.holdAnswer = make(chan struct{}) })
	p.js(`(async () => {
		const button = document.querySelector("#answer-accepted");
		const fire = (type) => button.dispatchEvent(new PointerEvent(type, { bubbles: true }));
		fire("pointerdown");
		window.dispatchEvent(new Event("offline")); // a drawing begins, and waits
		for (let i = 0; i < 20; i++) await new Promise((done) => requestAnimationFrame(done));
		fire("pointerup");
		button.click();
		window.pressed = button;
		for (let i = 0; i < 20; i++) await new Promise((done) => requestAnimationFrame(done));
	})()`)
	p.untilServer("the answer", func() bool { return len(srv.answers) == 1 })
	p.until("window.pressed.isConnected")
	srv.cut()
	p.sees("もう一度押しても、二重にはなりません")
	srv.with(func() { close(srv.holdAnswer); srv.holdAnswer = nil })
}
