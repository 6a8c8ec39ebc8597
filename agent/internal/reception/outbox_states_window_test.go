package reception_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/shared/fault"
)

// standing is one way in which the records of a terminal may stand.
type standing struct {
	name     string
	tone     string // of what is said first
	now      string // said first
	bar      string // said in the bar
	never    string // said nowhere
	line     uplink.Line
	figures  outbox.Figures
	dead     []queue.Entry
	full     bool
	findings []doctor.Finding
	closed   bool
	setBack  time.Duration
}

var (
	up   = uplink.Line{Up: true, Since: noon.Add(-3 * time.Hour)}
	down = uplink.Line{Since: noon.Add(-40 * time.Minute)}
)

func standings() []standing {
	well := outbox.Figures{KeyClass: "tpm2", Running: true, LineUp: true, ClockTrusted: true, LastAck: noon.Add(-time.Minute), FileBytes: 12 << 20, UsedBytes: 1 << 20, Kept: 214}
	with := func(change func(*outbox.Figures)) outbox.Figures {
		f := well
		change(&f)
		return f
	}
	return []standing{
		{name: "sent", tone: "now good", now: "すべて送りました", bar: "送信待ち 0件",
			line: up, figures: well},
		{name: "waiting", tone: "now waiting", now: "3件を送っています", bar: "送信待ち 3件・最古 0分",
			line: up, figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt = 3, noon.Add(-20*time.Second) })},
		{name: "down", tone: "now waiting", now: "7件が回線を待っています", bar: "切れています（記録は続けられます）",
			line: down, figures: with(func(f *outbox.Figures) {
				f.Pending, f.OldestAt, f.LastAck = 7, noon.Add(-38*time.Minute), noon.Add(-41*time.Minute)
			})},
		{name: "amber", tone: "now attention", now: "13時間0分前の記録がまだ送れていません", bar: "送信待ち 43件・最古 13時間0分",
			line: uplink.Line{Since: noon.Add(-13 * time.Hour)}, figures: with(func(f *outbox.Figures) {
				f.Pending, f.OldestAt, f.LastAck = 43, noon.Add(-13*time.Hour), noon.Add(-13*time.Hour)
			})},
		{name: "stale", tone: "now attention", now: "31件が長く送れていません", bar: "長く送れていない記録 31件", never: "792時間",
			line: uplink.Line{Since: noon.AddDate(0, 0, -33)}, figures: with(func(f *outbox.Figures) {
				f.Pending, f.Stale, f.OldestAt, f.LastAck = 1209, 31, noon.AddDate(0, 0, -33), noon.AddDate(0, 0, -33)
			})},
		{name: "dead", tone: "now attention", now: "3件が受け付けられませんでした", bar: "送れなかった記録 3件（Alt+R）",
			line: up, figures: with(func(f *outbox.Figures) { f.DeadLetters = 3 }), dead: troubled().dead[:3]},
		{name: "clock", tone: "now attention", now: "端末の時計がおくれているため", bar: "26時間0分以上おくれています", never: "93784",
			line: uplink.Line{Since: noon.Add(-time.Hour), Reason: uplink.ClockWrong, ClockBehind: true}, setBack: 26 * time.Hour,
			figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt, f.ClockOffsetMS = 4, noon.Add(-time.Hour), 93_784_000 })},
		{name: "salvaged", tone: "now attention", now: "12件が読めなくなりました", bar: "こわれた記録ファイルを別に保存しました（1個）",
			line: up, figures: with(func(f *outbox.Figures) { f.PutAside, f.Lost = 1, 12 })},
		{name: "full", tone: "now stop", now: "次の方からは紙に控え", bar: "新しく記録できません。紙に控えて", never: "記録は続けられます",
			line: uplink.Line{Since: noon.AddDate(0, 0, -4)}, full: true, figures: with(func(f *outbox.Figures) {
				f.Pending, f.OldestAt, f.LastAck = 50_000, noon.AddDate(0, 0, -4), noon.AddDate(0, 0, -4)
			})},
		{name: "read-only", tone: "now stop", now: "端末を再起動し", bar: "端末を再起動し", never: "記録は続けられます",
			line: up, figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt = 2, noon.Add(-9*time.Minute) }), findings: []doctor.Finding{{Part: doctor.Disk, Fault: "read_only"}}},
		{name: "receipt", tone: "now attention", now: "受け取りの署名が正しくありません", bar: "受け取りの署名が正しくありません",
			line: uplink.Line{Up: true, Since: noon, Reason: uplink.ReceiptUntrusted}, figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt = 2, noon.Add(-9*time.Minute) })},
		{name: "turn", tone: "now waiting", now: "12:07ごろから自動で送ります", bar: "送信待ち 40件・最古 55分",
			line: uplink.Line{Up: true, Since: noon, Until: noon.Add(7 * time.Minute)}, figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt = 40, noon.Add(-55*time.Minute) })},
		{name: "closed", tone: "now attention", now: "記録は別のファイルで続けられます", bar: "記録ファイルが鍵で開きません", never: "こわれた記録ファイル",
			line: up, closed: true, figures: with(func(f *outbox.Figures) { f.PutAside = 1 })},
		{name: "cloned", tone: "now attention", now: "端末の写し（ディスクの複製）がほかで使われています。 市区町村", bar: "端末の写し", never: "どちら",
			line: up, figures: well, findings: []doctor.Finding{{Part: doctor.Enrolment, Fault: "cloned"}}},
		{name: "refused", tone: "now attention", now: "登録が取り消されたか", bar: "相手が受け付けません",
			line: uplink.Line{Up: true, Since: noon, Reason: fault.Forbidden}, figures: with(func(f *outbox.Figures) { f.Pending, f.OldestAt = 2, noon.Add(-9*time.Minute) }), findings: []doctor.Finding{{Part: doctor.Enrolment, Fault: "withdrawn"}}},
	}
}

// open shows the desk with its records as they stand.
func (x standing) open(t *testing.T) *stage {
	t.Helper()
	f := x.figures
	b := &box{figures: f, dead: x.dead}
	d := open(t, func(d *stage) {
		d.also = func(c *reception.Config) {
			c.Outbox = b
			c.Findings = func(context.Context) []doctor.Finding { return x.findings }
		}
		d.line = x.line
		d.stats = queue.Stats{Pending: f.Pending, OldestAt: f.OldestAt, Stale: f.Stale, Dead: f.DeadLetters, Damaged: f.Damaged, MaxRecords: 50_000, MaxBytes: 1 << 27}
		d.damage = reception.Damage{Files: f.PutAside, Rows: f.Lost, Closed: x.closed}
		if x.closed {
			d.damage.Files = 0
		}
	})
	if x.setBack > 0 {
		d.reader.clock = clockfloor.Reading{At: noon, SetBack: x.setBack}
	}
	return d
}

// A receptionist reads first how the records stand and what to do; the bar says it in short,
// and nothing says that recording goes on where it does not.
func TestWhatIsSaidFirstOfTheRecords(t *testing.T) {
	for _, x := range standings() {
		d := x.open(t)
		_, page := d.get(t, "/?tab=outbox")
		_, bar := d.get(t, "/parts/bar")
		first, _, _ := strings.Cut(page[max(0, strings.Index(page, `<div class="now`)):], "</div>")
		if !strings.Contains(first, `class="`+x.tone+`"`) || !strings.Contains(first, x.now) {
			t.Errorf("%s: said first: %s", x.name, first)
		}
		if !strings.Contains(bar, x.bar) {
			t.Errorf("%s: the bar does not say %q: %s", x.name, x.bar, bar)
		}
		if x.never != "" && strings.Contains(page+bar, x.never) {
			t.Errorf("%s: %q is said", x.name, x.never)
		}
		if x.name == "clock" && strings.Contains(bar, "端末の時計がおくれているため") {
			t.Error("the bar says twice that the clock is behind")
		}
	}
}

// What waits is amber after 12 hours and red after 24.
func TestTheColourOfWhatWaits(t *testing.T) {
	for waited, class := range map[time.Duration]string{
		12*time.Hour - time.Second: "waiting", 12 * time.Hour: "amber", 24*time.Hour - time.Second: "amber", 24 * time.Hour: "red",
	} {
		d := open(t, func(d *stage) { d.stats = queue.Stats{Pending: 1, OldestAt: noon.Add(-waited)} })
		if _, bar := d.get(t, "/parts/bar"); !strings.Contains(bar, `<p class="pending `+class+`" role="status"`) {
			t.Errorf("%v: not %s: %s", waited, class, bar)
		}
	}
}

// judgeStandings looks for faults of accessibility however the records stand: in every way and
// language where pictures or the long tests are asked for, else in one of each that no other
// test judges.
func judgeStandings(t *testing.T, s *screen) {
	t.Helper()
	all := os.Getenv("MADOGUCHI_SOAK") != "" || os.Getenv("MADOGUCHI_SCREENSHOTS") != ""
	sample := map[string]string{"down": "en", "full": "ja-easy"}
	for _, x := range standings() {
		if !all && sample[x.name] == "" {
			continue
		}
		d := x.open(t)
		for _, lang := range []string{"ja", "ja-easy", "en"} {
			if !all && sample[x.name] != lang {
				continue
			}
			s.do(chromedp.Navigate(d.URL + "/?tab=outbox&lang=" + lang))
			s.until("document.querySelector('#outbox .now')")
			s.judge("records-" + x.name + "-" + lang)
		}
	}
}
