package reception_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// longName is as long as a name may be: 40 characters.
const longName = "ヴァシリエヴィチコンスタンチノヴィチアレクサンドロヴィチタカハシザキイトウヤマナ"

// fullScene is every state that a row may have, with everything that a case may tell.
func fullScene() []check.View {
	cases := scene()
	valid := &cases[3]
	valid.Charge = casebook.Charge{Percent: 30, Rule: "general", Title: "一般 3割", Since: civil.Date{Year: 2023, Month: 7, Day: 10}}
	valid.Answer.Symbol, valid.Answer.Branch = "みなと１２", "02"
	valid.Answer.HolderKanji, valid.Answer.HolderKana = "髙●﨑　ヴァシリエヴィチ", "ﾀｶﾊｼｻﾞｷ ｳﾞｧｼﾘｴｳﾞｨﾁ"
	valid.Answer.Notes = []eligibility.Note{{Code: "N1", Text: "利用者証明用電子証明書の有効期限は、あと3か月以内です。"}}
	valid.Answer.Consents = []eligibility.Consent{
		{Kind: eligibility.ConsentDrugs, Given: true, At: noon, Until: noon.Add(23*time.Hour + 40*time.Minute)},
		{Kind: eligibility.ConsentCheckups, Given: true, At: noon.AddDate(0, 0, -2), Until: noon.Add(-time.Hour)},
		{Kind: eligibility.ConsentDiagnosis},
	}
	offline := &cases[1]
	offline.Need, offline.Age = check.NeedCharge, check.Amber
	offline.Charge = casebook.Charge{Percent: 20, Rule: "preschool", Title: "未就学児 2割", Since: civil.Date{Year: 2023, Month: 7, Day: 10}}
	offline.Known = &casebook.Known{AsOf: noon.Add(-15 * time.Hour), ForDay: civil.In(noon), Validity: eligibility.Valid, Expires: noon.AddDate(0, 0, 1)}
	failed := kase("failed", check.DisplayError, func(c *casebook.Case) {
		c.State, c.Label = eligibility.Answered, longName
		c.Answer = &eligibility.Answer{Validity: eligibility.CheckFailed, VisitDay: c.VisitDay, ErrorCode: "EE0001"}
		c.Task = &casebook.Task{Kind: casebook.TaskFailed, RaisedAt: noon}
	})
	voided := kase("voided", check.DisplayVoided, func(c *casebook.Case) {
		c.State, c.VoidedAt, c.VoidedBy, c.VoidReason, c.AmendedBy = eligibility.Voided, noon, "受付２", eligibility.Typo, "valid"
	})
	none := kase("recorded", check.DisplayRecorded, func(c *casebook.Case) {
		c.State, c.Inquiry.Number, c.Evidence = eligibility.Recorded, "", eligibility.EvidenceCardPIN
	})
	none.Need, none.Why = check.NeedNumber, check.WhyNoNumber
	return append(cases, failed, voided, none)
}

// Each state as the receptionist sees it, without a fault of accessibility.
func TestEveryStateOnTheScreen(t *testing.T) {
	s := openScreen(t)
	d := open(t, func(s *stage) { s.desk.cases = fullScene() })
	for _, c := range d.desk.cases {
		s.do(chromedp.Navigate(d.URL + "/?case=" + c.RecordID))
		s.until("document.activeElement?.id === 'insurer_number'")
		s.until(fmt.Sprintf("document.querySelector('#case[data-display=%q]')", c.Display))
		s.judge("state-" + c.RecordID)
	}
}

// The columns stay where they are, and nothing scrolls sideways: with no row and with 200,
// wide and narrow, with letters twice as large, in forced colours and in trouble.
func TestTheColumnsNeverMove(t *testing.T) {
	s := openScreen(t)
	var many []check.View
	for i := range 200 {
		v := fullScene()[i%9]
		v.RecordID, v.Label = fmt.Sprintf("r%d", i), longName
		many = append(many, v)
	}
	at := func(name string) string {
		s.until("document.activeElement?.id === 'insurer_number'")
		s.judge(name)
		return evaluate[string](s, `["list", "act", "result"].map(id => { const r = document.getElementById(id).getBoundingClientRect(); return Math.round(r.left) + "+" + Math.round(r.width) + "@" + Math.round(r.top) }).join(" ")`)
	}
	empty := open(t, func(s *stage) { s.desk.cases = nil })
	s.do(chromedp.Navigate(empty.URL + "/"))
	first := at("empty")
	full := open(t, func(s *stage) { s.desk.cases = many })
	s.do(chromedp.Navigate(full.URL + "/?case=r3"))
	if now := at("200-rows"); now != first {
		t.Errorf("the columns are at %s, with no rows at %s", now, first)
	}
	if evaluate[bool](s, "document.documentElement.scrollHeight > innerHeight") {
		t.Error("the page scrolls as a whole: its columns do not stay")
	}
	trouble := open(t, func(s *stage) {
		s.desk.cases = many[:3]
		s.stats = queue.Stats{Pending: 100, MaxRecords: 100, MaxBytes: 1 << 20, Dead: 3, Damaged: 1, OldestAt: noon.Add(-30 * time.Hour)}
		s.damage = reception.Damage{Files: 3, Rows: 4}
	})
	s.do(chromedp.Navigate(trouble.URL + "/"))
	at("trouble")
	s.do(chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(full.URL+"/?case=r3"))
	at("1920")
	s.do(chromedp.EmulateViewport(683, 384), chromedp.Navigate(full.URL+"/?case=r3")) // 200 % of 1366 × 768
	at("twice")
	if wide := evaluate[int64](s, "document.documentElement.scrollWidth"); wide > 683 {
		t.Errorf("with letters twice as large the page is %d px wide", wide)
	}
	s.do(chromedp.EmulateViewport(1366, 768))
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}}); err != nil {
		t.Fatal(err)
	}
	s.do(chromedp.Navigate(full.URL + "/?case=r3"))
	at("forced-colours")
}

// The full number is shown by F8 and by nothing else.
func TestTheNumberIsMaskedUntilF8(t *testing.T) {
	s := openScreen(t)
	d := open(t, func(s *stage) { s.desk.cases = fullScene() })
	s.do(chromedp.Navigate(d.URL + "/?case=valid"))
	s.until("document.activeElement?.id === 'insurer_number'")
	const page = "document.documentElement.outerHTML"
	if strings.Contains(evaluate[string](s, page), "7654321") {
		t.Error("the number is on the page before F8")
	}
	s.press(kb.F8)
	s.until("document.querySelector('#result').innerText.includes('7654321')")
	s.press(kb.F8)
	s.until("!" + page + ".includes('7654321')")
}
