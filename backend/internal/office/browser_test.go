package office_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/notice"
)

// look is a page with the state of the municipality in which it is judged.
type look struct {
	name, path string
	set        func(*officetest.Canned)
}

func everyLook() []look {
	rows := func(n int) func(*officetest.Canned) { return func(c *officetest.Canned) { c.Rows = n } }
	run := func(s office.RunState) func(*officetest.Canned) {
		return func(c *officetest.Canned) { c.Rows, c.Run = 3, s }
	}
	award := func(s office.AwardState) func(*officetest.Canned) {
		return func(c *officetest.Canned) { c.Rows, c.State = 3, s }
	}
	stage := func(s office.CaseState) func(*officetest.Canned) {
		return func(c *officetest.Canned) { c.Rows, c.Stage = 3, s }
	}
	list := func(s string, own bool) func(*officetest.Canned) {
		return func(c *officetest.Canned) { c.Rows, c.Listed, c.Own = 12, s, own }
	}
	const b, k = "/office/benefits", "/office/children/cases/chc_1"
	return []look{
		{"today", "/office/", rows(6)}, {"today-empty", "/office/", rows(0)},
		{"runs", b, rows(6)}, {"runs-empty", b, rows(0)}, {"run-new", b + "/new", rows(2)},
		{"run-draft", b + "/runs/run_1", run(office.RunDrafted)}, {"run-counted", b + "/runs/run_1", run(office.RunCounted)},
		{"run-paused", b + "/runs/run_1", run(office.RunPaused)}, {"run-done", b + "/runs/run_1", run(office.RunDone)},
		{"awards", b + "/runs/run_1/awards", rows(12)}, {"awards-empty", b + "/runs/run_1/awards?state=withdrawn", rows(0)}, {"questions", b + "/runs/run_1/questions", rows(3)},
		{"award-noticed", b + "/awards/awd_1", award(office.Noticed)}, {"award-question", b + "/awards/awd_1", award(office.OpenQuestion)},
		{"list", b + "/lists/lst_1", list("waiting", false)}, {"list-own", b + "/lists/lst_1", list("waiting", true)}, {"list-returned", b + "/lists/lst_1", list("returned", false)},
		{"cases", "/office/children", rows(9)}, {"cases-empty", "/office/children", rows(0)},
		{"case-flagged", k, stage(office.CaseFlagged)}, {"case-assessed", k, stage(office.CaseAssessed)}, {"case-accepted", k, stage(office.CaseAccepted)}, {"case-closed", k, stage(office.CaseClosed)},
		{"erasures", "/office/children/erasures", rows(4)}, {"erasures-empty", "/office/children/erasures", rows(0)},
		{"protection", "/office/protection", rows(4)}, {"protection-empty", "/office/protection", rows(0)}, {"withheld", "/office/protection/withheld/wth_1", rows(4)},
	}
}

// Every page is without a fault that axe-core knows, in three languages, on a narrow window
// and with letters of twice the size too, and scrolls sideways on none of them.
func TestPagesAreGoodToLookAt(t *testing.T) {
	c := &officetest.Canned{}
	d := serve(t, console(t, c), everyRole)
	w := open(t, d.URL)
	for _, l := range notice.Languages() {
		w.language(l)
		for _, look := range everyLook() {
			*c = officetest.Canned{}
			look.set(c)
			w.size(1366, 768)
			w.visit(look.path)
			w.has("main h1")
			name := fmt.Sprintf("%s-%s", look.name, l)
			w.judge(name + " at 1366")
			w.keep(name + "-1366")
			w.size(768, 1024)
			w.narrow(name + " at 768")
			if l == notice.Japanese {
				w.judge(name + " at 768")
				w.keep(name + "-768")
			}
			w.size(320, 700)
			w.narrow(name + " at 320")
			w.size(1366, 768)
			value[int](w, "(document.documentElement.style.fontSize = '212.5%', 0)")
			w.narrow(name + " with large letters")
			if l == notice.English { // the longest words
				w.judge(name + " with large letters")
				w.keep(name + "-large")
			}
		}
	}
}

// narrow looks for sideways scrolling alone.
func (w *window) narrow(name string) {
	w.t.Helper()
	w.settle()
	if wide, room := value[int64](w, "document.documentElement.scrollWidth"), value[int64](w, "innerWidth"); wide > room {
		w.t.Errorf("%s: the page scrolls sideways to %d px: %s", name, wide, w.widest())
	}
}

func (w *window) language(l notice.Language) {
	w.t.Helper()
	w.visit("/office/")
	w.has(".languages button")
	value[int](w, "(document.querySelector(`.languages button[value="+quote(string(l))+"]`).click(), 0)")
	w.has(".languages button[value=" + quote(string(l)) + "][aria-current]")
}

// A thousand rows stay usable: the table scrolls in itself and the acts are reached.
func TestAThousandRows(t *testing.T) {
	c := &officetest.Canned{Rows: 1000, Listed: "waiting"}
	d := serve(t, console(t, c), everyRole)
	w := open(t, d.URL)
	for _, path := range []string{"/office/benefits", "/office/benefits/lists/lst_1", "/office/children", "/office/benefits/runs/run_1/awards"} {
		w.visit(path)
		w.has("main table")
		w.narrow(path)
		if tall := value[int64](w, "document.documentElement.scrollHeight"); tall > 6000 {
			t.Errorf("%s: the page is %d px tall", path, tall)
		}
		w.keep("thousand" + strings.ReplaceAll(path, "/", "-"))
	}
}

// The whole way of a benefit by the keyboard: count, start, watch the funnel, make the
// list, and a second person approves it after a slip.
func TestBenefitByKeyboard(t *testing.T) {
	c := &officetest.Canned{Rows: 2, Run: office.RunDrafted, Listed: "waiting"}
	d := serve(t, console(t, c), officer(actor.Clerk))
	w := open(t, d.URL)
	w.visit("/office/benefits")
	w.tabTo("a[href='/office/benefits/new']")
	w.press(kb.Enter)
	w.has("#draft-month")
	w.tabTo("form.sheet .button")
	w.press(kb.Enter)
	w.has(".summary")
	w.judge("a draft with faults")
	w.keep("draft-faults")
	w.choose("benefit", "oneoff")
	w.tabTo("#draft-month")
	w.press(kb.Tab) // a month's parts may be words: its own test is TestForms
	value[int](w, "(document.querySelector('#draft-month').value = '2026-11', 0)")
	w.day("#draft-deadline", "2026-12-11")
	w.day("#draft-pay_on", "2026-12-25")
	w.tabTo("form.sheet .button")
	w.press(kb.Enter)
	w.has("#act-count")
	w.tabTo("#act-count")
	w.press(kb.Enter)
	w.has("#act-start") // counted while we looked on
	w.visit("/office/benefits/runs/run_1")
	w.keep("run-counted-by-key")
	w.tabTo("#act-start")
	w.press(kb.Enter)
	w.has("[data-stage=noticed]")
	w.tabTo("#act-pause") // the focus stays there while the fragment is drawn anew
	w.until("document.querySelector('#progress').getAttribute('hx-get').includes('running-60')")
	w.judge("a run that works")
	w.keep("run-running")
	if !value[bool](w, "document.activeElement.id === 'act-pause'") {
		t.Error("the focus was lost when the funnel was drawn anew")
	}
	w.has("#act-list")
	w.until("document.querySelector('#said').textContent.includes('処理が終わりました')")
	w.tabTo("#act-list")
	w.press(kb.Enter)
	w.sees("リストを作り、承認を頼みました")
	d.now(officer(actor.Approver))
	w.visit("/office/benefits/lists/lst_1")
	w.tabTo("#approve-count")
	w.write("２")
	w.tabTo("#approve-total")
	w.write("四万円")
	w.tabTo("#approve-reason")
	w.write("一覧と合計を確かめました。")
	w.tabTo("form[action$='/approve'] .button")
	w.press(kb.Enter)
	w.has("#approve-total-fault")
	w.judge("an approval with a slip")
	w.keep("list-faults")
	if got := value[string](w, "document.querySelector('#approve-reason').value"); got != "一覧と合計を確かめました。" {
		t.Errorf("the reason is gone: %q", got)
	}
	w.tabTo(".summary a")
	w.press(kb.Enter)
	w.until("document.activeElement.id === 'approve-total' || location.hash === '#approve-total'")
	value[int](w, "(document.querySelector('#approve-total').select(), 0)")
	w.tabTo("#approve-total")
	w.write("40,000円")
	w.tabTo("form[action$='/approve'] .button")
	w.press(kb.Enter)
	w.sees("承認しました")
	w.keep("list-approved")
}

// A case of child support from flag to close by the keyboard, by two officers.
func TestCaseByKeyboard(t *testing.T) {
	c := &officetest.Canned{Rows: 1, Stage: office.CaseFlagged}
	d := serve(t, console(t, c), officer(actor.ChildOfficer))
	w := open(t, d.URL)
	w.visit("/office/")
	w.tabTo("main a[href='/office/children/cases/chc_1']")
	w.press(kb.Enter)
	w.has("#assess-reason")
	w.choose("contact", "yes")
	w.choose("support", "parenting_talk")
	w.tabTo("form[action$='/assess'] .button")
	w.press(kb.Enter)
	w.has("#assess-reason-fault")
	w.judge("an assessment without a word")
	w.keep("case-faults")
	w.tabTo("#assess-reason")
	w.write("記録から、話を聞く場が役に立つと考えます。")
	w.tabTo("form[action$='/assess'] .button")
	w.press(kb.Enter)
	w.sees("見立てを出しました")
	d.now(officer(actor.ChildApprover))
	w.visit("/office/children/cases/chc_1")
	w.tabTo("#contact-reason")
	w.write("理由と支援が合っています。")
	w.tabTo("form[action$='/approve'] .button")
	w.press(kb.Enter)
	w.sees("承認しました")
	c.Stage = office.CaseAccepted
	d.now(officer(actor.ChildOfficer))
	w.visit("/office/children/cases/chc_1")
	w.choose("outcome", "started")
	w.tabTo("form[action$='/close'] .button")
	w.press(kb.Enter)
	w.sees("閉じました")
	if got := strings.Join(c.Acts(), "\n"); !strings.Contains(got, "assess chc_1 true false parenting_talk") || !strings.Contains(got, "close chc_1 started") {
		t.Errorf("what was done: %s", got)
	}
}

// A protector settles what was withheld and sets a flag by the keyboard; a clerk records a
// letter.
func TestProtectionAndLetterByKeyboard(t *testing.T) {
	c := &officetest.Canned{Rows: 1, State: office.Noticed}
	d := serve(t, console(t, c), officer(actor.Protector))
	w := open(t, d.URL)
	w.visit("/office/protection")
	w.tabTo("a[href='/office/protection/withheld/wth_1']")
	w.press(kb.Enter)
	w.has("#settle-note")
	w.choose("how", "by_phone")
	w.tabTo("#settle-note")
	w.write("本人に電話で伝えた。")
	w.tabTo("main form .button")
	w.press(kb.Enter)
	w.sees("記録しました")
	w.tabTo("#flag-ref")
	w.write("R-000007")
	w.choose("kind", "non_disclosure")
	w.tabTo("form[action$='/flags'] .button")
	w.press(kb.Enter)
	w.sees("保護をはじめました")
	d.now(officer(actor.Clerk))
	w.visit("/office/benefits/awards/awd_1")
	w.day("#letter-on", "2026-11-20")
	w.tabTo("form[action$='/letter'] .button")
	w.press(kb.Enter)
	w.sees("配達を記録しました")
	want := []string{"settle wth_1 by_phone 本人に電話で伝えた。", "set R-000007 non_disclosure ", "letter awd_1 2026-11-20"}
	if got := c.Acts(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("what was done: %q", got)
	}
}
