package browser_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/tour"
)

// Journey 4: an officer assesses, a second role approves, and the family answers an offer
// that says nothing of why it was made.
func TestChildSupport(t *testing.T) {
	h := openHouse(t)
	rules := axe(t)
	p := h.phoneWithPushes(population.SubOffered, h.Cast.Offered.Name)
	worker := p.registration()
	path := h.caseOf(h.Cast.OfferedChild.Name)

	officer := h.console(rules, population.SubMinatoChild, "子安 みのり")
	officer.judge(rules, "the queue of child support", officeWidth)
	officer.assess(rules, path)
	officer.judgePages(rules, "/office/", "/office/children", path)

	chief := h.console(rules, population.SubMinatoChildChief, "見守 宏")
	chief.approveContact(rules, path)
	chief.judgePages(rules, "/office/children", "/office/children/erasures", path)

	p.deliver(worker, h.pushPayload())
	p.sees("窓口から新しいお知らせが届きました")
	p.tabTo("#news a")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/notices/ntc_')")
	p.tabTo("#about")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/offers/off_') && document.querySelector('#answers')")
	if words := p.text("main"); strings.Contains(words, "健診") || strings.Contains(words, "健康診査") {
		t.Errorf("the offer tells why it was made: %s", words)
	}
	p.sees("ほかの手続き")
	p.keep("app-offer")
	offer := value[string](p.window, "location.pathname")
	p.judgeScreens(rules, map[string]string{"/app/": "#certificate, #ask", offer: "#answers"})
	p.at(offer)
	p.answer(rules, "declined")
	p.answer(rules, "accepted")
	p.keep("app-offer-accepted")

	protector := h.console(rules, population.SubMinatoProtector, "庇護 和")
	protector.visit(h.Public.URL() + "/office/protection")
	protector.has("#flag")
	protector.keep("office-protection")
	protector.judgePages(rules, "/office/", "/office/protection")
}

// caseOf waits for the case of a child.
func (h *house) caseOf(child string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	g := tour.Guide{Stage: h.Stage, Rand: rand.Reader}
	c, err := g.Console(ctx, population.SubMinatoChild)
	if err != nil {
		h.t.Fatal(err)
	}
	path, err := c.Case(ctx, child)
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}

// assess goes from the queue to the case and proposes contact.
func (c *console) assess(rules, path string) {
	c.t.Helper()
	c.visit(c.house.Public.URL() + "/office/")
	c.tabTo("main a[href=" + quote(path) + "]")
	c.press(kb.Enter)
	c.has("#assess-reason")
	c.sees(c.house.Cast.OfferedChild.Name)
	c.judge(rules, "a case", officeWidth)
	c.keep("office-case")
	c.tabTo("form[action$='/assess'] .button")
	c.press(kb.Enter)
	c.has(".summary")
	c.judge(rules, "an assessment without a reason", officeWidth)
	c.choose("contact", "yes")
	c.choose("support", value[string](c.window, "document.querySelector('[name=support]').value"))
	c.tabTo("#assess-reason")
	c.write("続けて確かめられていないため、案内をして様子をうかがいます")
	c.tabTo("form[action$='/assess'] .button")
	c.press(kb.Enter)
	c.until("!document.querySelector('#assess-reason') && document.querySelector('main h1')")
	c.judge(rules, "an assessed case", officeWidth)
}

// approveContact goes from the queue to the case and approves.
func (c *console) approveContact(rules, path string) {
	c.t.Helper()
	c.tabTo("main a[href=" + quote(path) + "]")
	c.press(kb.Enter)
	c.has("#contact-reason")
	c.judge(rules, "contact to be approved", officeWidth)
	c.keep("office-case-approval")
	c.tabTo("#contact-reason")
	c.write("評価のとおり、案内することを承認します")
	c.tabTo("form[action$='/approve'] .button")
	c.press(kb.Enter)
	c.until("!document.querySelector('#contact-reason') && document.querySelector('main h1')")
	c.judge(rules, "approved contact", officeWidth)
}

// answer answers the offer that is in sight.
func (p *phone) answer(rules, answer string) {
	p.t.Helper()
	p.tabTo("#answer-" + answer)
	p.press(kb.Enter)
	p.until("document.querySelector('#answered') && document.querySelector('#answer-" + answer + "').disabled")
	p.judge(rules, "an offer that was "+answer, narrowPhone)
}
