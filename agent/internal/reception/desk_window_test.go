package reception_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/agent/internal/scanner/wedge"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
)

// cards is a scripted reader.
type cards struct {
	mu     sync.Mutex
	status counter.Status
	fault  card.Word
	pins   int
}

func (c *cards) Status() counter.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *cards) Watch() (<-chan struct{}, func()) { return nil, func() {} }

func (c *cards) Read(_ context.Context, pin []byte, _ counter.Proof) (counter.Reading, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pins++
	if c.fault != "" {
		return counter.Reading{}, c.fault.Fault(io.ErrUnexpectedEOF)
	}
	if string(pin) != "2580" {
		return counter.Reading{}, card.PINWrong.Fault(io.ErrUnexpectedEOF)
	}
	return counter.Reading{Person: eligibility.Person{
		NameKanji: "髙●﨑　ヴァシリエヴィチ", Address: "架空県みなと市一丁目１番", BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, Sex: "1", Proven: true,
	}, PINLeft: 3, Certificate: counter.Good}, nil
}

// live is a desk whose act is the real one, over invented people in memory.
type live struct {
	*httptest.Server
	room  *rehearsal.Room
	cards *cards
}

func openLive(t *testing.T, class profile.Class) *live {
	t.Helper()
	r, err := rehearsal.New(rehearsal.Config{
		Class: class, Office: "みなと内科クリニック", Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), AnswerAfter: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	x := &live{room: r, cards: &cards{status: counter.Status{Reachable: true, Card: counter.MyNumber, PINLeft: 3}}}
	h, err := reception.New(reception.Config{
		Desk: r.Desk(), Verifier: r.Reader(), Profile: r.Profile, Line: r.Line, Stats: r.Stats, Cards: x.cards,
		Damage: func() reception.Damage { return reception.Damage{} }, Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	x.Server = httptest.NewServer(behindADoor(h))
	t.Cleanup(x.Close)
	return x
}

// write puts text into the field with the focus as an input method does, not key by key.
func (s *screen) write(text string) {
	s.t.Helper()
	if _, err := chromedp.Call(s.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		s.t.Fatal(err)
	}
}

// focus waits until the field has the focus.
func (s *screen) focus(id string) {
	s.t.Helper()
	s.until(fmt.Sprintf("document.activeElement?.id === %q", id))
}

// numbers types a patient's numbers by keyboard and records them with Enter alone.
func (s *screen) numbers(p rehearsal.Sheet) {
	s.t.Helper()
	s.focus("insurer_number")
	for _, f := range []struct{ id, text string }{
		{"insurer_number", p.Insurer}, {"symbol", p.Symbol}, {"number", p.Number}, {"branch", p.Branch},
		{"birth_date", p.Born.String()}, {"label", p.Kana},
	} {
		s.focus(f.id)
		s.write(f.text)
		s.press(kb.Enter)
	}
	s.focus("evidence")
	s.press(kb.F9)
}

func (s *screen) shows(display string) {
	s.t.Helper()
	s.until(fmt.Sprintf("document.querySelector('#case[data-display=%q]')", display))
}

// A morning's acts by the keyboard alone, each page without a fault of accessibility.
func TestTheActsOfADeskByKeyboard(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	people := rehearsal.Sheets()
	s.do(chromedp.Navigate(d.URL + "/"))
	s.numbers(people[0])
	s.shows("valid")
	s.judge("act-valid")
	s.focus("insurer_number")

	s.press(kb.F6) // the same family's next child
	s.until("document.querySelector('#insurer_number')?.value !== ''")
	s.until("document.querySelector('#label').value === ''")

	s.press(kb.Escape) // put aside: the numbers are kept
	s.until("document.querySelector('#list .parked button')")
	s.until("document.querySelector('#insurer_number').value === ''")
	s.judge("act-parked")
	s.do(chromedp.KeyEvent("l", chromedp.KeyModifiers(1))) // Alt+L: today's list
	s.until("document.activeElement?.matches('#list .parked .row')")
	s.press(kb.ArrowDown)
	s.until("document.activeElement?.matches('#list ol .row')")
	s.press(kb.ArrowUp)
	s.until("document.activeElement?.matches('#list .parked .row')")
	s.press(kb.Enter)
	s.until("document.querySelector('#insurer_number').value !== '' && !document.querySelector('#list .parked')")

	s.press(kb.Escape)
	s.until("document.querySelector('#insurer_number').value === ''")
	s.focus("insurer_number")
	s.numbers(people[2])
	s.shows("newer_coverage")
	s.judge("act-task")
	s.tabTo("#close-task")
	s.press(kb.Enter)
	s.shows("reviewed")
}

func TestTheLineIsCutAtTheDesk(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	if err := d.room.Cut(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s.do(chromedp.Navigate(d.URL + "/"))
	s.numbers(rehearsal.Sheets()[0])
	s.shows("offline")
	s.until("document.querySelector('#charge').textContent.includes('3割')")
	s.judge("act-offline")
	s.focus("insurer_number")
	s.do(chromedp.KeyEvent("z", chromedp.KeyModifiers(2))) // Ctrl+Z: not asked yet
	s.until("document.querySelector('#number')?.value === '1001'")
	s.until("document.querySelector('#list .row.voided')")
	s.press(kb.F9)
	s.shows("offline")
	if err := d.room.Cut(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.shows("valid")
}

// A wrong patient is amended with a reason; the old row tells of the new one.
func TestACorrection(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	people := rehearsal.Sheets()
	s.do(chromedp.Navigate(d.URL + "/"))
	s.numbers(people[0])
	s.shows("valid")
	s.focus("insurer_number")
	s.press(kb.F7)
	s.until("document.querySelector('#reason')")
	s.judge("act-amend")
	s.until("document.activeElement?.id === 'reason'")
	s.press(kb.F9)
	s.until("document.querySelector('#list .row.voided') && document.querySelector('#case[data-display=valid]')")
	s.focus("insurer_number")
	s.tabTo("#list .row.voided")
	s.press(kb.Enter)
	s.shows("voided")
	s.judge("act-voided")
}

// another is a desk whose answer seems to be about another person.
func another(d *stage) {
	d.desk.cases = []check.View{scene()[0]}
	v := &d.desk.cases[0]
	v.OtherPerson, v.Names = true, jptext.MatchDiffers
	v.Answer.HolderKana, v.Answer.BirthDate = "ﾍﾞﾂ ｼﾞﾝ", civil.Date{Year: 1955, Month: 5, Day: 5}
	v.Inquiry.BirthDate = civil.Date{Year: 1980, Month: 4, Day: 1}
}

// What was on its way when the modal came is not put under the question: the modal stays, and
// the focus in it.
func TestTheModalOutlivesARefreshUnderWay(t *testing.T) {
	s := openScreen(t)
	let := make(chan struct{})
	d := open(t, another, func(d *stage) {
		d.before = func(r *http.Request) {
			if r.URL.Path == "/cases/differs" {
				<-let
			}
		}
	})
	defer sync.OnceFunc(func() { close(let) })()
	s.do(chromedp.Navigate(d.URL + "/?case=differs"))
	s.until("document.activeElement?.id === 'other-later'")
	evaluate[chromedp.Void](s, "document.querySelector('#other-person').dataset.first = '1'; document.body.addEventListener('htmx:afterRequest', () => { document.body.dataset.came = '1' }); 0")
	let <- struct{}{}
	s.until("document.body.dataset.came && !document.querySelector('.htmx-swapping, .htmx-settling')")
	if !evaluate[bool](s, "Boolean(document.querySelector('#other-person[data-first]')?.open) && document.activeElement?.id === 'other-later'") {
		t.Error("the modal was taken away by what came under it")
	}
}

// An answer about another person is the one modal of the desk.
func TestAnotherPersonIsTheOneModal(t *testing.T) {
	s := openScreen(t)
	d := open(t, another)
	s.do(chromedp.Navigate(d.URL + "/?case=differs"))
	s.until("document.querySelector('#other-person')?.open")
	s.judge("act-other-person")
	s.until("document.querySelector('#other-person').contains(document.activeElement)")
	s.until("document.activeElement?.id === 'other-later'") // Enter alone decides nothing
	s.press(kb.Escape)
	s.until("!document.querySelector('#other-person').open")
	if d.desk.closedCount() != 0 {
		t.Error("closing the modal closed the task")
	}
	s.do(chromedp.Navigate(d.URL + "/?case=differs"))
	s.until("document.querySelector('#other-person')?.open")
	s.tabTo("#other-same")
	s.press(kb.Enter)
	for end := time.After(patience); d.desk.closedCount() == 0; {
		select {
		case <-end:
			t.Fatal("the task was not closed")
		case <-time.After(every):
		}
	}
}

// The card: what lies there, the PIN, who it names, and that it holds no insurance.
func TestACardAtTheDesk(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	s.do(chromedp.Navigate(d.URL + "/"))
	s.focus("insurer_number")
	s.press(kb.F1)
	s.focus("card_pin")
	s.judge("card")
	s.write("1111")
	s.press(kb.Enter)
	s.until("document.querySelector('[data-word=pin_wrong]')")
	s.focus("card_pin")
	s.write("2580")
	s.press(kb.Enter)
	s.until("document.querySelector('#who')")
	s.judge("card-read")
	if strings.Contains(evaluate[string](s, "document.documentElement.outerHTML"), "2580") {
		t.Error("the PIN is on the page")
	}
	s.focus("label")
	s.write("タカハシザキ ヴァシリエヴィチ")
	s.press(kb.F9)
	s.shows("recorded")
	s.until("document.querySelector('#case[data-need=ask_number]')")
	s.judge("card-recorded")
	d.cards.mu.Lock()
	d.cards.fault = card.PINLastTry
	d.cards.mu.Unlock()
	s.press(kb.F1)
	s.focus("card_pin")
	s.write("2580")
	s.press(kb.Enter)
	s.until("document.querySelector('[data-word=pin_last_try]')")
}

// The self-declaration, the month and the sheets.
func TestADeclarationAndItsSheets(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	s.do(chromedp.Navigate(d.URL + "/"))
	s.focus("insurer_number")
	s.press(kb.F5)
	s.focus("declared_name_kanji")
	s.write("髙橋﨑　ヴァシリエヴィチ")
	s.press(kb.Enter)
	s.focus("declared_name_kana")
	s.write("タカハシザキ　ヴァシリエヴィチ")
	s.press(kb.Enter)
	s.focus("declared_birth_date")
	s.write("S55.4.1")
	s.judge("declare")
	s.press(kb.F9)
	s.until("document.querySelector('#case')")
	s.judge("declared")
	id := evaluate[string](s, "document.querySelector('#case').dataset.recordId")
	s.focus("declared_name_kanji")
	s.press(kb.F10)
	s.until("document.querySelector('#act .rows a.row')")
	s.judge("month")
	for _, sheet := range []string{"/cases/" + id + "/declaration", "/cases/" + id + "/slip", "/print/day"} {
		s.do(chromedp.Navigate(d.URL + sheet))
		s.until("document.querySelector('#print')")
		s.judge("sheet-" + strings.ReplaceAll(strings.TrimPrefix(sheet, "/cases/"+id+"/"), "/", "-"))
	}
}

// Every tab in every language, and for every class of terminal.
func TestEveryTabInEveryLanguage(t *testing.T) {
	s := openScreen(t)
	for _, class := range []profile.Class{profile.Clinic, profile.Counter, profile.Shelter} {
		d := openLive(t, class)
		if class == profile.Clinic {
			if err := d.room.Desk().TakeFace(t.Context(), "face.xml", faceResult()); err != nil {
				t.Fatal(err)
			}
		}
		for _, lang := range []string{"ja", "ja-easy", "en"} {
			for _, tab := range []string{"numbers", "card", "scan", "faces", "declare", "month", "bookings", "help"} {
				if class != profile.Clinic && (tab != "card" && tab != "scan" && tab != "help" || lang != "ja") {
					continue
				}
				s.do(chromedp.Navigate(d.URL + "/?tab=" + tab + "&lang=" + lang))
				s.until("document.querySelector('#act .tabs [aria-current]')")
				s.judge(string(class) + "-" + tab + "-" + lang)
			}
		}
		words := evaluate[string](s, "document.body.innerText")
		if class != profile.Clinic && strings.Contains(words, "保険者") {
			t.Errorf("%s: the page speaks of insurers", class)
		}
	}
}

func faceResult() oqs.Result {
	today := civil.In(time.Now())
	return oqs.Result{
		Identifier: "", ForDay: today, ExecutedAt: time.Now(), Segment: oqs.Done, Encoding: oqs.UTF8,
		Items: []oqs.Item{{Status: oqs.StatusOK, Validity: eligibility.Valid, Coverage: &oqs.Coverage{
			Insurer: "479907", InsurerName: "練習市国民健康保険", Symbol: "練１", Number: "1001", Branch: "01", Name: "練習　花子", NameKana: "ﾚﾝｼｭｳ ﾊﾅｺ",
			BirthDate: civil.Date{Year: 1985, Month: 4, Day: 12}, Share: "030",
		}}},
	}
}

// The page tells scanned keys from typed ones by the scanner package's own rule and table.
func TestTheBurstRuleOfThePage(t *testing.T) {
	s := openScreen(t)
	d := openLive(t, profile.Clinic)
	s.do(chromedp.Navigate(d.URL + "/"))
	s.until("typeof Burst === 'function'")
	var want, got any
	if err := json.Unmarshal(wedge.BurstJSON, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(evaluate[string](s, "JSON.stringify(BURST)")), &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("the page's constants are %v, the scanner's %v", got, want)
	}
	table, err := os.ReadFile("../scanner/wedge/testdata/bursts.json")
	if err != nil {
		t.Fatal(err)
	}
	wrong := evaluate[string](s, `(table => table.map(c => {
		const b = new Burst(); let at = 0, last = {act: "leave", text: ""};
		for (const k of c.keys) {
			if (k.silence) { last = b.silent(); continue; }
			const times = k.text ? [...k.text] : Array.from({length: k.times ?? 1}, () => k.key);
			const many = k.repeat_text ? Array.from({length: k.repeat_text}, () => times).flat() : times;
			many.forEach((key, i) => {
				at += i === 0 ? (k.after ?? k.every ?? 0) : (k.every ?? 0);
				const r = b.press({key, at, repeat: Boolean(k.repeat), control: Boolean(k.control)});
				if (r.act !== "hold") last = r;
			});
		}
		const ok = last.act === c.acts && (c.scan === undefined || c.scan === last.text);
		return ok ? "" : c.name + ": " + JSON.stringify(last);
	}).filter(Boolean).join("\n"))(`+string(table)+`)`)
	if wrong != "" {
		t.Errorf("the page decides otherwise:\n%s", wrong)
	}
}
