package browser_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/tour"
)

// Journey 3, the benefit: a run from its draft to a list that a second person approves, and
// a family that refuses on the phone after the push.
func TestBenefit(t *testing.T) {
	h := openHouseForPractice(t)
	rules := axe(t)
	p := h.phoneWithPushes(population.SubLastMinute, h.Cast.LastMinute.Name)
	worker := p.registration()

	clerk := h.console(rules, population.SubMinatoClerk2, "起草 直")
	deadline := h.Clock.Now().In(population.Japan).AddDate(0, 0, 15)
	run := clerk.startRun(rules, deadline)

	p.deliver(worker, h.pushPayload())
	p.sees("窓口から新しいお知らせが届きました")
	p.tabTo("#news a")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/notices/ntc_')")
	p.sees("20,000円")
	p.judge(rules, "notice of a benefit", narrowPhone)
	p.tabTo("#about")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/benefits/awd_') && document.querySelector('#amount')")
	benefit := value[string](p.window, "location.pathname")
	p.has("details#step-0")
	p.keep("app-benefit")
	p.judgeScreens(rules, map[string]string{"/app/": "#certificate, #ask", "/app/benefits": "main h1", benefit: "#amount", benefit + "?step=refuse": "#refuse"})
	p.at(benefit)
	p.tabTo("#to-refuse")
	p.press(kb.Enter)
	p.has("#refuse")
	p.keep("app-benefit-refuse")
	p.tabTo("#refuse")
	p.press(kb.Enter)
	p.until("location.search === '' && !document.querySelector('#to-refuse')")
	p.sees("辞退")
	p.judge(rules, "a refused benefit", narrowPhone)
	p.keep("app-benefit-refused")

	h.saysNothing(population.SubParent, population.SubTooLate, population.SubTwins, population.SubLeapDay, population.SubFirstDay)
	if err := h.Clock.SetTo(time.Date(deadline.Year(), deadline.Month(), deadline.Day()+1, 9, 0, 0, 0, population.Japan)); err != nil {
		t.Fatal(err)
	}
	list := h.console(rules, population.SubMinatoApprover, "決裁 正敏").makeList(rules, run)
	approver := h.console(rules, population.SubMinatoApprover2, "審査 律子")
	approver.approveList(rules, list, "5", "120,000")
	approver.visit(h.Public.URL() + run)
	approver.has("#funnel")
	approver.keep("office-run")
	approver.judgePages(rules, "/office/", "/office/benefits", run, run+"/awards", list)
}

// phoneWithPushes signs somebody in on the phone where pushes arrive.
func (h *house) phoneWithPushes(sub, name string) *phone {
	h.t.Helper()
	p := h.phone()
	p.signInAs(sub, name)
	p.home()
	p.ready()
	p.at("/app/me")
	p.tabTo("#push-on")
	p.press(kb.Enter)
	p.sees("このスマートフォンに通知しています")
	p.at("/app/")
	p.home()
	return p
}

// choose takes one of a group of radio buttons by the keyboard.
func (w *window) choose(name, one string) {
	w.t.Helper()
	w.tabTo("[name=" + name + "]")
	w.press(" ")
	chosen := fmt.Sprintf("document.querySelector('[name=%s]:checked')?.value === %s", name, quote(one))
	for range 20 {
		if value[bool](w, chosen) {
			w.focusInSight()
			return
		}
		w.press(kb.ArrowDown)
	}
	w.t.Fatalf("%s: no arrow reached %s of %s", w.name, one, name)
}

// date types a day or a month into its field, in whichever order the browser's language
// has its parts. The year takes six digits, and a month alone a name, so an arrow ends them.
func (w *window) date(css, text string) {
	w.t.Helper()
	w.tabTo(css)
	parts := strings.Split(text, "-")
	for _, order := range [][]string{parts, append(slices.Clone(parts[1:]), parts[0])} {
		w.js("(e => { e.value = ''; e.blur(); e.focus(); return 0 })(document.activeElement)")
		for _, part := range order {
			w.press(part)
			if len(part) == 4 || len(parts) == 2 {
				w.press(kb.ArrowRight)
			}
		}
		if value[string](w, "document.activeElement.value") == text {
			return
		}
	}
	w.t.Fatalf("%s: %s takes %q for %s", w.name, css, value[string](w, "document.activeElement.value"), text)
}

// startRun drafts a run of the one-off payment, counts and starts it, and gives its page.
func (c *console) startRun(rules string, deadline time.Time) string {
	c.t.Helper()
	c.visit(c.house.Public.URL() + "/office/benefits")
	c.tabTo("main a[href='/office/benefits/new']")
	c.press(kb.Enter)
	c.has("form[action='/office/benefits/runs']")
	c.judge(rules, "a new run", officeWidth)
	c.choose("benefit", "oneoff_kosodate_ouen_2025")
	c.date("#draft-month", "2026-02")
	c.date("#draft-deadline", deadline.Format(time.DateOnly))
	c.date("#draft-pay_on", deadline.AddDate(0, 0, 45).Format(time.DateOnly))
	c.tabTo("form[action='/office/benefits/runs'] .button")
	c.press(kb.Enter)
	c.has("#act-count")
	run := value[string](c.window, "location.pathname")
	c.tabTo("#act-count")
	c.press(kb.Enter)
	c.has("#act-start")
	c.has("#count")
	c.has("#samples")
	c.judge(rules, "a counted run", officeWidth)
	c.keep("office-run-counted")
	c.tabTo("#act-start")
	c.press(kb.Enter)
	c.until("document.querySelector('#funnel') && !document.querySelector('#act-pause')")
	c.judge(rules, "a run that is done", officeWidth)
	return run
}

// saysNothing has families read their notice on other phones, and no more.
func (h *house) saysNothing(subs ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	g := tour.Guide{Stage: h.Stage, Rand: rand.Reader}
	for _, sub := range subs {
		phone, err := g.SignIn(ctx, sub)
		if err != nil {
			h.t.Fatal(err)
		}
		all, err := phone.Benefits(ctx)
		if err != nil || len(all) != 1 {
			h.t.Fatalf("%s has %d benefits: %v", sub, len(all), err)
		}
		if err := phone.ReadNotice(ctx, all[0].Notice); err != nil {
			h.t.Fatal(err)
		}
		if b, err := phone.Benefit(ctx, all[0].ID); err != nil || b.State != "proven" { // as the app does after reading
			h.t.Fatalf("the benefit of %s is %s: %v", sub, b.State, err)
		}
	}
}

// makeList makes a list of what closed in silence, which its maker cannot approve.
func (c *console) makeList(rules, run string) string {
	c.t.Helper()
	c.visit(c.house.Public.URL() + run)
	c.tabTo("#act-list")
	c.press(kb.Enter)
	c.until("location.pathname.startsWith('/office/benefits/lists/')")
	list := value[string](c.window, "location.pathname")
	until(c.t, func(context.Context) (bool, string) { // a list is gathered in the background
		c.visit(c.house.Public.URL() + list)
		c.has("main h1")
		return value[bool](c.window, "document.querySelector('#own') !== null"), c.text("main")
	})
	if value[bool](c.window, "document.querySelector('form[action$=\"/approve\"]') !== null") {
		c.t.Error("who made the list is offered to approve it")
	}
	c.judge(rules, "one's own list", officeWidth)
	c.keep("office-list-own")
	return list
}

// approveList goes from the queue to the list and approves it, the wrong total first.
func (c *console) approveList(rules, list, count, total string) {
	c.t.Helper()
	c.visit(c.house.Public.URL() + "/office/")
	c.keep("office-queue")
	c.tabTo("main a[href=" + quote(list) + "]")
	c.press(kb.Enter)
	c.has("form[action$='/approve']")
	c.judge(rules, "a list that waits", officeWidth)
	c.keep("office-list")
	c.decide(count, "1")
	c.has(".summary")
	c.judge(rules, "a wrong total", officeWidth)
	c.decide("", total)
	c.until("!document.querySelector(\"form[action$='/approve']\")")
	c.sees("審査 律子")
	c.judge(rules, "an approved list", officeWidth)
	c.keep("office-list-approved")
}

// decide fills in the approval; what is empty stays as it is.
func (c *console) decide(count, total string) {
	c.t.Helper()
	if count != "" {
		c.tabTo("#approve-count")
		c.write(count)
	}
	c.tabTo("#approve-total")
	c.js("document.activeElement.select()")
	c.write(total)
	c.tabTo("#approve-reason")
	c.js("document.activeElement.select()")
	c.write("件数と合計を台帳で確かめました")
	c.tabTo("form[action$='/approve'] .button")
	c.press(kb.Enter)
}

// judgePages looks at pages of the console in three languages.
func (c *console) judgePages(rules string, paths ...string) {
	c.t.Helper()
	for _, l := range languages {
		c.language(l)
		for _, path := range paths {
			c.visit(c.house.Public.URL() + path)
			c.has("main h1")
			c.judge(rules, l+" "+path, officeWidth)
		}
	}
	c.language("ja")
}
