package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// published is the worked example of the My Number's check digit, nobody's number.
const published = "123456789018"

// Journey 2, by the keyboard alone: no pointer touches the desk.
func TestInsuranceCheck(t *testing.T) {
	h := openHouse(t)
	h.install()
	rules := axe(t)
	d := h.desk()
	insured, aged, changed := h.Cast.Insured, h.Cast.Aged, h.Cast.Changed
	d.judge(rules, "empty desk", deskWidth)

	// With a line the answer appears by itself.
	d.fill(card(wide(insured.InsurerNumber), insured.NameKana, insured.Symbol, wide(insured.Number), insured.Branch, wide(insured.BirthDate))...)
	d.press(kb.F9)
	first := d.shows(insured.Expect)
	if words := d.row(first, "answered"); !strings.Contains(words, "完了") {
		t.Errorf("the row of an answered check says %s", words)
	}
	d.until("document.activeElement?.id === 'insurer_number' && !document.activeElement.value") // the next patient
	d.judge(rules, "answered check", deskWidth)
	d.keep("desk-answered")

	checkDigitDoubt(t, d, rules)
	myNumberIsRefused(t, d, rules)

	h.Line.Cut()
	d.lineIs(false)
	d.fill(card(changed.InsurerNumber, changed.NameKana, changed.Symbol, changed.Number, changed.Branch, changed.BirthDate)...)
	d.press(kb.F9)
	newer := d.shows("offline")
	d.fill(card(aged.InsurerNumber, aged.NameKana, aged.Symbol, aged.Number, aged.Branch, aged.BirthDate)...)
	d.tabTo("details.more > summary")
	d.press(" ")
	d.tabTo("#copayment")
	d.press(kb.ArrowDown, kb.ArrowDown, kb.ArrowDown) // by the rule, 3割, 2割, 1割
	d.until("document.querySelector('#copayment').value === " + quote(aged.Copayment))
	d.press(kb.F9)
	d.until("document.querySelector('#case')?.dataset.recordId !== " + quote(newer))
	plain := d.shows("offline")
	waitsForTheLine(t, d, plain, newer)
	d.judge(rules, "check without a line", deskWidth)
	d.keep("desk-offline")

	h.restoreLine() // and nobody touches anything
	d.lineIs(true)
	if got := d.shows(aged.Expect); got != plain {
		t.Errorf("another record is shown: %s", got)
	}
	d.row(plain, "answered")
	if words := d.row(newer, "task"); !strings.Contains(words, "要確認") {
		t.Errorf("the row of a task says %s", words)
	}
	d.sees("送信待ち 0件")
	closeTheTask(d, newer, rules)
	judgeDesk(d, rules, newer)
}

// checkDigitDoubt: a wrong check digit is told while it is typed; who has seen it records.
func checkDigitDoubt(t *testing.T, d *desk, rules string) {
	t.Helper()
	c := d.house.Cast.Insured
	last := c.InsurerNumber[len(c.InsurerNumber)-1]
	wrong := c.InsurerNumber[:len(c.InsurerNumber)-1] + string('0'+(last-'0'+1)%10)
	rows := value[int](d.window, "document.querySelectorAll('#list .row').length")
	d.fill(card(wrong, "", c.Symbol, c.Number, c.Branch, c.BirthDate)...)
	d.has("#kind .doubt-line")
	if words := d.text("#kind .doubt-line"); !strings.Contains(words, "検証番号が合いません") {
		t.Errorf("the doubt says %s", words)
	}
	if now := value[int](d.window, "document.querySelectorAll('#list .row').length"); now != rows {
		t.Errorf("a doubtful entry was recorded: %d rows after %d", now, rows)
	}
	d.judge(rules, "doubt", deskWidth)
	d.keep("desk-doubt")
	d.press(kb.F9)
	d.shows("none_found")
}

// myNumberIsRefused: the number does not come back, and is in no field.
func myNumberIsRefused(t *testing.T, d *desk, rules string) {
	t.Helper()
	c := d.house.Cast.Insured
	d.fill(card(c.InsurerNumber, "", c.Symbol, wide(published), "", c.BirthDate)...)
	d.press(kb.F9)
	d.until("document.querySelector('#number-note') && document.activeElement?.id === 'number'")
	d.sees("マイナンバーは保険の確認には使いません")
	kept := value[string](d.window, `document.documentElement.outerHTML + [...document.querySelectorAll("input,textarea")].map(e => e.value).join(" ")`)
	if strings.Contains(kept, published) || strings.Contains(kept, wide(published)) {
		t.Error("the refused number is still on the page")
	}
	d.until("document.querySelector('#birth_date').value") // the rest stays
	d.judge(rules, "refused number", deskWidth)
	d.press(kb.Escape)
	d.until("document.activeElement?.id === 'insurer_number'")
	d.visit(d.house.terminal.Desk())
	d.until("document.activeElement?.id === 'insurer_number'")
}

// waitsForTheLine: recorded, waiting with its age, and never called invalid.
func waitsForTheLine(t *testing.T, d *desk, ids ...string) {
	t.Helper()
	d.sees("未確認（通信不可）")
	d.sees("送信待ち 2件・最古 0分")
	d.sees("回線が切れていた")
	for _, id := range ids {
		if words := d.row(id, "recorded"); !strings.Contains(words, "送信待ち") || !strings.Contains(words, "分") {
			t.Errorf("a waiting row says %s", words)
		}
	}
	for _, word := range []string{"無効", "該当資格なし"} {
		if strings.Contains(d.text("#result"), word) {
			t.Errorf("without an answer the desk says %s", word)
		}
	}
}

// closeTheTask opens the row of a task and closes it.
func closeTheTask(d *desk, id, rules string) {
	d.t.Helper()
	d.tabBackTo("#list a.row.task[href$=" + quote(id) + "]")
	d.press(kb.Enter)
	d.until("document.querySelector('#case')?.dataset.recordId === " + quote(id))
	d.sees("受付での見込みと違います")
	d.has(".differences .changed")
	d.judge(rules, "task", deskWidth)
	d.keep("desk-task")
	d.until("document.activeElement?.id === 'close-task'") // the hands are there already
	d.press(kb.Enter)
	d.sees("確認済み（")
	d.row(id, "answered")
}

// judgeDesk looks at the desk's pages in the other languages too.
func judgeDesk(d *desk, rules, id string) {
	d.t.Helper()
	for _, l := range languages {
		d.visit(d.house.terminal.Desk() + "/?lang=" + l)
		for path, there := range map[string]string{"/": "#numbers", "/?tab=scan": "#scan", "/?case=" + id: "#case"} {
			d.visit(d.house.terminal.Desk() + path)
			d.has(there)
			d.judge(rules, l+" "+path, deskWidth)
		}
		d.visit(d.house.terminal.Desk())
		d.fill(entry{"insurer_number", published})
		d.press(kb.F9)
		d.has("#insurer_number-note")
		d.judge(rules, l+" refused number", deskWidth)
	}
}
