package stories_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
	"madoguchi.example/mobile-api/client"
)

// story is one story on its way: the clinic, the screen, and what the receptionist knows.
type story struct {
	*house
	*window
	t        *testing.T
	patients map[string]patient

	recorded  []string          // ids of records in their order
	of        map[string]string // a patient's latest record
	takenBack int               // records that were taken back or replaced
	scans     int               // certificates that were read
	folder    string            // where the 資格確認端末's folder lies while it is out of reach

	strokes []int     // of each entry of numbers: characters and keys
	waits   []float64 // of each record, in milliseconds: see stopwatch
}

// walk walks a story to its end.
func walk(t *testing.T, name string) *story {
	t.Helper()
	chapters := read(t, name)
	h := openHouse(t, chapters[0].begins)
	s := &story{house: h, t: t, patients: patients(t, h.PeopleDir()), of: map[string]string{}}
	s.window = openWindow(t, h.browser)
	for i, c := range chapters {
		s.window.where = c.at
		if i > 0 {
			s.comes(c.begins)
		}
		for _, l := range c.lines {
			s.window.where = l.at
			p, words, err := find(l)
			if err != nil {
				t.Fatal(err)
			}
			p.do(s, words)
		}
	}
	return s
}

// comes puts the clocks forward to a time of the story. On a slow machine it may have passed.
func (s *story) comes(at time.Time) {
	s.t.Helper()
	if !at.After(s.Clock.Now()) {
		return
	}
	s.ok(s.Clock.SetTo(at))
}

func (s *story) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.fail("%v", err)
	}
}

func (s *story) patient(kana string) patient {
	s.t.Helper()
	p, ok := s.patients[kana]
	if !ok {
		s.fail("there is no patient %s, or two of them", kana)
	}
	return p
}

// stopwatch measures in the page how long it takes from the key that records to the desk
// that is ready for the next patient.
const stopwatch = `(() => {
	if (window.watched) return; window.watched = true; window.waits = []; let begun = 0;
	document.addEventListener("keydown", (e) => { if (e.key === "F9") begun = performance.now(); }, true);
	document.body.addEventListener("htmx:afterSettle", (e) => { if (e.target.id === "act" && begun) { window.waits.push(performance.now() - begun); begun = 0; } });
})()`

// open comes in with a new code; the first operator chooses a PIN where there is none yet.
func (s *story) open(first bool) {
	s.t.Helper()
	address, code, err := s.terminal.Launch(s.t.Context())
	s.ok(err)
	s.visit(address)
	s.focus("code")
	s.write(code)
	s.press(kb.Enter)
	s.focus("door-pin")
	s.write(stage.PIN)
	s.press(kb.Enter)
	if first {
		s.holds(`document.querySelector("#door-again")`)
		s.focus("door-pin")
		s.write(stage.PIN)
		s.press(kb.Tab)
		s.focus("door-again")
		s.write(stage.PIN)
		s.press(kb.Enter)
	}
	s.ready()
}

// unlock types the PIN into the door that closed by itself.
func (s *story) unlock() {
	s.t.Helper()
	s.holds(`document.querySelector("#door dialog[open]") && document.body.classList.contains("locked")`)
	s.focus("door-pin")
	s.write(stage.PIN)
	s.press(kb.Enter)
	s.holds(`!document.querySelector("#door dialog")`)
	s.ready()
}

// ready has the hands at the first field of an empty form.
func (s *story) ready() {
	s.t.Helper()
	s.holds(`document.querySelector("#act .tabs") && window.htmx && document.readyState === "complete"`)
	value[chromedp.Void](s.window, stopwatch)
	if !value[bool](s.window, `document.activeElement?.id === "insurer_number"`) {
		s.act(kb.F2)
	}
	s.focus("insurer_number")
}

// act presses a key and waits until what it opens is there: in the part of the page that
// changes or, where the key came before the page listened to the new part, as a new page.
func (s *story) act(key string, how ...chromedp.KeyOption) {
	s.t.Helper()
	value[chromedp.Void](s.window, stopwatch+"; window.before = Number(document.body.dataset.settled ?? 0)")
	s.window.do(stroke(key, how...))
	s.holds(`window.before === undefined ? window.htmx && document.readyState === "complete" && document.querySelector("#act .tabs")
		: Number(document.body.dataset.settled ?? 0) > window.before`)
}

// fields are what a patient's numbers are typed into, in the order of the form.
func fields(p patient, c card) [][2]string {
	return [][2]string{{"insurer_number", c.insurer}, {"symbol", c.symbol}, {"number", c.number}, {"branch", c.branch}, {"birth_date", p.birth}, {"label", p.kana}}
}

// fill types into fields from the one with the focus on, each ended by Enter, and gives how
// many keys that took. What is in a field already is left.
func (s *story) fill(all [][2]string) (strokes int) {
	s.t.Helper()
	for _, f := range all {
		s.focus(f[0])
		if f[1] != "" && value[string](s.window, "document.activeElement.value") != f[1] {
			s.write(f[1])
			strokes += len([]rune(f[1]))
		}
		s.press(kb.Enter)
		strokes++
	}
	return strokes
}

// evidences are the choices of the form in their order.
var evidences = []string{"資格確認書", "お知らせ", "マイナポータルの画面"}

// choose picks the evidence by the arrow keys.
func (s *story) choose(evidence string) (strokes int) {
	s.t.Helper()
	s.focus("evidence")
	for _, e := range evidences {
		if e == evidence {
			break
		}
		s.press(kb.ArrowDown)
		strokes++
	}
	return strokes
}

// numbers types a patient's numbers and records them.
func (s *story) numbers(kana, evidence string, c card) {
	s.t.Helper()
	s.ready()
	n := s.fill(fields(s.patient(kana), c)) + s.choose(evidence)
	s.record(kana)
	s.strokes = append(s.strokes, n+1)
}

// record presses F9 and waits until the page shows a new record.
func (s *story) record(kana string) {
	s.t.Helper()
	before := s.shown()
	s.act(kb.F9)
	s.taken(kana, before)
	s.waits = append(s.waits, value[[]float64](s.window, "(window.waits ?? []).splice(0)")...)
}

// shown is the id of the record in the result column.
func (s *story) shown() string {
	s.t.Helper()
	return value[string](s.window, `document.querySelector("#case")?.dataset.recordId ?? ""`)
}

// taken notes the new record that the page shows.
func (s *story) taken(kana, before string) {
	s.t.Helper()
	s.holds(fmt.Sprintf(`(document.querySelector("#case")?.dataset.recordId ?? %[1]s) !== %[1]s`, quote(before)))
	id := s.shown()
	s.recorded = append(s.recorded, id)
	s.of[kana] = id
}

// half types a patient's numbers and stops before the birth date.
func (s *story) half(kana string) {
	s.t.Helper()
	s.ready()
	p := s.patient(kana)
	all := fields(p, p.current())
	s.fill(all[:2])
	s.focus("number")
	s.write(all[2][1])
}

// parked is the row of a parked entry, by the last digits of its number.
func (s *story) parked(kana string) string {
	s.t.Helper()
	number := s.patient(kana).current().number
	js := fmt.Sprintf(`[...document.querySelectorAll("#list .parked button")].find((b) => b.textContent.includes("***%s"))`, number[len(number)-3:])
	s.holds(js)
	return "#" + value[string](s.window, js+".id")
}

// unpark takes a parked entry back, fills what is missing and records it.
func (s *story) unpark(kana string) {
	s.t.Helper()
	s.ready()
	s.tabBackTo(s.parked(kana))
	s.act(kb.Enter)
	p := s.patient(kana)
	s.fill(fields(p, p.current()))
	s.focus("evidence")
	s.record(kana)
}

// family records the same family's next member.
func (s *story) family(kana string) {
	s.t.Helper()
	s.act(kb.F6)
	p := s.patient(kana)
	s.holds(`document.querySelector("#label").value === "" && document.querySelector("#number").value === ` + quote(p.current().number))
	s.fill(fields(p, p.current()))
	s.focus("evidence")
	s.record(kana)
}

// amend corrects the record that is shown: the reason, then the right numbers.
func (s *story) amend(kana string) {
	s.t.Helper()
	s.act(kb.F7)
	s.focus("reason")
	s.press(kb.Enter)
	p := s.patient(kana)
	s.fill(fields(p, p.current()))
	s.focus("evidence")
	s.takenBack++
	s.record(kana)
}

// void takes back the record that is shown: the wrong patient, the first of the reasons.
func (s *story) void() {
	s.t.Helper()
	s.tabTo("#voiding summary")
	s.press(kb.Enter)
	s.tabTo("#void-reason")
	s.tabTo("#voiding button.stop")
	s.press(kb.Enter)
	s.display("voided")
	s.takenBack++
}

// undo takes the last entry back into the form.
func (s *story) undo() {
	s.t.Helper()
	s.ready()
	s.act("z", chromedp.KeyModifiers(2))
	s.takenBack++
}

// face records what the face reader told.
func (s *story) face(kana string) {
	s.t.Helper()
	s.ready()
	s.until(func(context.Context) (bool, string) { // the tab shows what was there when it was opened
		s.act(kb.F4)
		return value[bool](s.window, `Boolean(document.querySelector("#act .face button.main"))`), s.text("#act")
	})
	s.tabTo("#act .face button.main")
	before := s.shown()
	s.act(kb.Enter)
	s.taken(kana, before)
}

// declare writes down what a patient without numbers says.
func (s *story) declare(kana string) {
	s.t.Helper()
	s.ready()
	s.act(kb.F5)
	p := s.patient(kana)
	s.fill([][2]string{{"declared_name_kanji", p.kanji}, {"declared_name_kana", p.kana}, {"declared_birth_date", p.birth}})
	s.record(kana)
}

// past records by the clinic's own earlier record of the patient.
func (s *story) past(kana string) {
	s.t.Helper()
	s.ready()
	p := s.patient(kana)
	s.fill([][2]string{{"insurer_number", ""}, {"symbol", ""}, {"number", ""}, {"branch", ""}, {"birth_date", p.birth}, {"label", p.kana}})
	s.tabTo("#past")
	s.act(kb.Enter)
	s.holds(`document.querySelector("#number").value === ` + quote(p.current().number) + ` && document.querySelector("#evidence").value === "past_record"`)
	s.record(kana)
}

// row opens a patient's row of the list.
func (s *story) row(kana string) {
	s.t.Helper()
	s.ready()
	s.tabBackTo("#row-" + s.of[kana])
	s.press(kb.Enter)
	s.holds(`document.querySelector("#case")?.dataset.recordId === ` + quote(s.of[kana]))
}

// display waits until the result column says the word about its record.
func (s *story) display(word string) {
	s.t.Helper()
	s.holds("document.querySelector('#case[data-display=" + quote(word) + "]')")
}

// scan reads a vaccination certificate that the person of the cast shows on a phone.
func (s *story) scan() {
	s.t.Helper()
	text := s.certificate()
	s.ready()
	s.act(kb.F3)
	s.focus("text")
	s.write(text)
	s.tabTo("#scan button.main")
	s.act(kb.Enter)
	s.scans++
}

// certificate issues one over the app's interface and waits until the terminal trusts its
// issuer.
func (s *story) certificate() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	guide := &tour.Guide{Stage: s.Stage, Rand: rand.Reader}
	phone, err := guide.SignIn(ctx, s.Cast.Parent.Sub)
	s.ok(err)
	me, err := phone.Me(ctx)
	s.ok(err)
	c, err := phone.IssueCertificate(ctx, client.Ask{Person: me.People[0].ID, Use: "domestic"})
	s.ok(err)
	file := filepath.Join(s.t.TempDir(), "code.txt")
	s.ok(os.WriteFile(file, []byte(c.QRText+"\n"), 0o600))
	s.until(func(ctx context.Context) (bool, string) {
		out, _, err := s.terminal.Try(ctx, "verify", "--json", file)
		var verdict struct{ Outcome string }
		if err == nil {
			err = json.Unmarshal(out, &verdict)
		}
		return verdict.Outcome == "valid", fmt.Sprint(verdict.Outcome, err)
	})
	return c.QRText
}

// book loads tomorrow's patients and has them asked for together.
func (s *story) book(names []string) {
	s.t.Helper()
	tomorrow := s.Clock.Now().In(japan).AddDate(0, 0, 1).Format(time.DateOnly)
	list := "time,patient,kana,birth_date,insurer_number,symbol,number,branch,visit_day\n"
	for i, kana := range names {
		p := s.patient(kana)
		c := p.current()
		list += strings.Join([]string{fmt.Sprintf("09:%02d", i), fmt.Sprint(i + 1), kana, p.birth, c.insurer, c.symbol, c.number, c.branch, tomorrow}, ",") + "\n"
	}
	file := filepath.Join(s.t.TempDir(), "bookings.csv")
	s.ok(os.WriteFile(file, []byte(list), 0o600))
	s.ready()
	s.tabBackTo("#tab-bookings")
	s.act(kb.Enter)
	s.tabTo("#file")
	s.window.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	s.tabTo(`#act form[action="/bookings"] button`)
	s.act(kb.Enter)
	before, err := s.Folder(s.t.Context())
	s.ok(err)
	s.tabTo(`#act form[action="/bookings/check"] button`)
	s.act(kb.Enter)
	s.until(func(ctx context.Context) (bool, string) {
		now, err := s.Folder(ctx)
		return err == nil && now.Requests >= before.Requests+2, fmt.Sprintf("%+v %v", now, err)
	})
}

// booked waits until the list of tomorrow's patients knows n of them.
func (s *story) booked(n int) {
	s.t.Helper()
	s.until(func(ctx context.Context) (bool, string) {
		s.tabBackTo("#tab-bookings")
		s.act(kb.Enter)
		return value[int](s.window, `document.querySelectorAll("#act .rows .row.answered").length`) == n, s.text("#act")
	})
}

// states are the words of a row.
var states = map[string]string{"送信待ち": "recorded", "確認中": "checking", "完了": "answered", "要確認": "task", "取り消し済み": "voided"}

// rowIs waits until a patient's row is in the state.
func (s *story) rowIs(kana, state string) {
	s.t.Helper()
	class, ok := states[state]
	if !ok {
		s.fail("no row says %s", state)
	}
	s.holds(fmt.Sprintf(`document.querySelector(%s)?.textContent.includes(%s)`, quote("#row-"+s.of[kana]+"."+class), quote(state)))
}

// displays are the words of the result column.
var displays = map[string]string{
	"有効": "valid", "無効": "invalid", "無効（新しい資格あり）": "newer_coverage", "該当資格なし": "none_found", "確認中": "checking",
	"未確認（通信不可）": "offline", "取り消し済み": "voided", "確認済み": "reviewed", "番号が足りません": "recorded",
}

// resultIs waits until the result column says the word, which stands in its banner.
func (s *story) resultIs(word string) {
	s.t.Helper()
	display, ok := displays[word]
	if !ok {
		s.fail("no result says %s", word)
	}
	s.display(display)
	s.sees("#case .banner", word)
}

// never tells that a word stands nowhere about a patient, but for what was known before.
func (s *story) never(words ...string) {
	s.t.Helper()
	seen := value[string](s.window, `["#list", "#result"].map((css) => { const c = document.querySelector(css).cloneNode(true); c.querySelector("#known")?.remove(); return c.textContent; }).join(" ")`)
	for _, w := range words {
		if strings.Contains(seen, w) {
			s.fail("the desk says %s: %s", w, seen)
		}
	}
}

// inState lists the patients whose latest row is in the state.
func (s *story) inState(class string) []string {
	s.t.Helper()
	var names []string
	for kana, id := range s.of {
		if value[bool](s.window, "Boolean(document.querySelector("+quote("#row-"+id+"."+class)+"))") {
			names = append(names, kana)
		}
	}
	return names
}

// unreachable takes the folder of the 資格確認端末 away, as a network that is off does.
func (s *story) unreachable() {
	s.t.Helper()
	s.Line.Cut()
	s.folder = s.FolderDir() + ".away"
	s.ok(os.Rename(s.FolderDir(), s.folder))
}

// reachable puts it back.
func (s *story) reachable() {
	s.t.Helper()
	s.ok(os.Rename(cmp.Or(s.folder, s.FolderDir()), s.FolderDir()))
}
