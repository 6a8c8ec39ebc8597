package reception

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"syscall"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// pageView is everything a template may show.
type pageView struct {
	W          words
	Langs      []notice.Language
	Profile    profile.Profile
	Line       uplink.Line
	Stats      queue.Stats
	Damage     Damage
	Insurance  bool // the terminal's class may ask for insurance numbers
	Operators  []string
	OperatorNo int
	Operator   string
	Now        time.Time
	LockAfter  time.Duration

	Cases    []check.View
	More     int // rows that the list does not show
	Case     *check.View
	Entry    check.Entry
	Errors   map[string]string // field → key of the catalogue
	Doubts   map[string]string
	General  string // key of the catalogue for what is wrong with no one field
	Recorded string

	Tab                string
	ScanText           string
	LinkText           string // of a link that a person may open
	PartsRead, PartsOf int
	Verdict            *cert.Verdict
	TrustAsOf          time.Time
	Clock              clockfloor.Reading
	Whole              bool // the answer is a whole page, not a part of one
}

func (s *server) view(w http.ResponseWriter, r *http.Request) *pageView {
	v := &pageView{
		W: s.words[s.language(w, r)], Langs: notice.Languages(), Profile: s.Profile(), Line: s.Line(),
		Stats: s.Stats(), Operators: s.Operators, Now: s.Now(), LockAfter: s.LockAfter,
		Damage: s.Damage(), Entry: s.blank(), TrustAsOf: s.Verifier.TrustAsOf(r.Context()),
		Clock: s.Verifier.Clock(),
	}
	v.Insurance = v.Profile.Class.MayCheckInsurance()
	v.OperatorNo, v.Operator = s.operator(r)
	return v
}

// whole answers with the whole page, list included.
func (s *server) whole(w http.ResponseWriter, r *http.Request, status int, v *pageView) {
	s.list(r, v)
	s.render(w, status, "page", v)
}

// list puts today's rows and the queue's figures on the page as they are now.
func (s *server) list(r *http.Request, v *pageView) {
	var err error
	if v.Cases, v.More, err = s.Desk.Today(r.Context()); err != nil {
		s.Log.Error("cannot list today's cases", "error", err)
	}
	v.Stats = s.Stats()
}

// blank is the form as it stands empty: today's visit, 3割, 資格確認書.
func (s *server) blank() check.Entry {
	return check.Entry{VisitDay: civil.In(s.Now()).String(), Evidence: eligibility.EvidenceCertificate, Copayment: 30}
}

// answer gives the part alone to htmx and the whole page to a browser without it.
func (s *server) answer(w http.ResponseWriter, r *http.Request, status int, part string, v *pageView) {
	if r.Header.Get("HX-Request") == "true" {
		s.render(w, status, part, v)
		return
	}
	s.whole(w, r, status, v)
}

func (s *server) render(w http.ResponseWriter, status int, name string, v *pageView) {
	page, err := s.pages.Clone()
	if err != nil {
		s.fail(w, fmt.Errorf("cannot copy the pages: %w", err))
		return
	}
	v.Whole = name == "page"
	var out bytes.Buffer
	if err := page.Funcs(funcs(v.W)).ExecuteTemplate(&out, name, v); err != nil {
		s.fail(w, fmt.Errorf("cannot write the page: %w", err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

// explain turns the joined faults of an entry into keys of the catalogue beside their
// fields. A field that held a My Number is emptied: it was refused and is not kept.
func (v *pageView) explain(err error) {
	v.Errors = map[string]string{}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		v.General = "e.disk"
		return
	}
	for _, f := range flatten(err) {
		key := "e.failed"
		switch f.Code {
		case fault.MyNumberRefused:
			key = "e.my_number"
			v.clear(f.Place)
		case fault.InvalidArgument:
			key = "e." + f.Message
			if _, known := v.W.text[key]; !known {
				key = "e.form"
			}
		case fault.QueueFull:
			key = "e.full"
		case fault.Forbidden:
			key = "e.class"
		}
		if f.Code == fault.Unavailable && (f.Place == check.PlaceClock || f.Place == check.PlacePayer) {
			key = "e." + f.Place
		}
		if !slices.Contains(fields, f.Place) {
			v.General = key
			continue
		}
		v.Errors[f.Place] = key
	}
	if len(v.Errors) == 0 && v.General == "" {
		v.General = "e.failed"
	}
}

// fields are the places that have room for words of their own on the form.
var fields = []string{
	check.FieldInsurer, check.FieldSymbol, check.FieldNumber, check.FieldBranch, check.FieldBirth, check.FieldVisit, check.FieldLabel,
}

func (v *pageView) clear(field string) {
	e := &v.Entry
	for name, value := range map[string]*string{
		check.FieldInsurer: &e.Insurer, check.FieldSymbol: &e.Symbol, check.FieldNumber: &e.Number,
		check.FieldBranch: &e.Branch, check.FieldBirth: &e.BirthDate, check.FieldVisit: &e.VisitDay, check.FieldLabel: &e.Label,
	} {
		if name == field {
			*value = ""
		}
	}
}

func (v *pageView) doubt(doubts []check.Doubt) {
	v.Doubts = map[string]string{}
	for _, d := range doubts {
		v.Doubts[d.Field] = "d." + d.Code
	}
}

func flatten(err error) []*fault.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*fault.Error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return []*fault.Error{e}
	}
	return nil
}

// funcs are what templates may call, in the page's language.
func funcs(w words) template.FuncMap {
	return template.FuncMap{
		"t":     w.rich,
		"plain": w.plain,
		"clock": func(t time.Time) string { return t.In(civil.Japan).Format("15:04") },
		"day":   func(d civil.Date) string { return longDate(w.Lang, d) },
		"dayof": func(t time.Time) string { return longDate(w.Lang, civil.In(t)) },
		"age":   func(d time.Duration) string { return age(w, d) },
		"share": func(percent int) string { return w.plain(fmt.Sprintf("co.%d", percent)) },
		"since": func(now, t time.Time) time.Duration { return now.Sub(t) },
		"icon":  func(name string) template.HTML { return icons[name] },
		"row":   rowState,
		"field": func(v *pageView, name, label, hint, value, mode string) field {
			return field{v, name, label, hint, value, mode}
		},
		"verdictof":  newVerdict,
		"doseline":   func(d cert.Dose) template.HTML { return doseLine(w, d) },
		"testline":   func(t cert.TestResult) template.HTML { return testLine(w, t) },
		"recovery":   func(r cert.Recovered) template.HTML { return recoveryLine(w, r) },
		"holdername": holderName,
		"formatname": verify.Title,
		"trustage":   func(now, asOf time.Time) string { return trustAge(w, now.Sub(asOf)) },
		"troubles":   func(v *pageView) []template.HTML { return troubles(w, v) },
		"tone":       tone,
		"evidences": func() []eligibility.Evidence {
			return []eligibility.Evidence{eligibility.EvidenceCertificate, eligibility.EvidenceNotice,
				eligibility.EvidencePortalScreen, eligibility.EvidencePastRecord, eligibility.EvidenceSelfDeclaration}
		},
		"shares":   func() []int { return []int{30, 20, 10} },
		"level":    queueLevel,
		"validity": func(s string) string { return w.plain("r." + s) },
		"percent":  func(s string) string { return w.plain("co." + s) },
	}
}

// field is what the template of one input needs.
type field struct {
	V                              *pageView
	Name, Label, Hint, Value, Mode string
}

// rowState is the state of a row in the list: one of the six that every face shares.
func rowState(v check.View) string {
	switch {
	case v.Display == check.DisplayRefused:
		return "refused"
	case v.Task.Open():
		return "task"
	case v.Display == check.DisplayChecking:
		return "checking"
	case v.Display == check.DisplayLate && v.State == eligibility.Sent:
		return "checking"
	case v.Display == check.DisplayOffline, v.Display == check.DisplayLate:
		return "recorded"
	default:
		return "answered"
	}
}

// tone is the colour class of a banner; the words beside it say the same.
func tone(d check.Display) string {
	switch d {
	case check.Display(eligibility.Valid):
		return "good"
	case check.DisplayChecking, check.DisplayLate:
		return "busy"
	case check.DisplayOffline:
		return "waiting"
	case check.Display(eligibility.Invalid), check.Display(eligibility.NoneFound), check.DisplayRefused:
		return "stop"
	default:
		return "attention"
	}
}

func nextStep(v *pageView) string {
	switch o := v.Verdict.Outcome; {
	case o == cert.Valid:
		return "next.valid"
	case stale(o):
		return "next.stale"
	case o == cert.Malformed:
		return "next.rescan"
	case o == cert.Revoked:
		return "next.revoked"
	case o == cert.UntrustedIssuer && v.TrustAsOf.IsZero():
		return "next.no_trust"
	default:
		return "next.refuse"
	}
}

func stale(o cert.Outcome) bool { return o == cert.StaleTrust || o == cert.StaleRevocation }

func trustAge(w words, d time.Duration) string {
	hours := int(max(d, 0).Hours())
	if hours < 1 {
		return w.plain("v.trust_fresh")
	}
	if hours < 48 {
		return w.plain("v.trust_hours", hours)
	}
	return w.plain("v.trust_days", hours/24)
}

// troubles are the sentences in the bar about what needs a person and is on no row.
func troubles(w words, v *pageView) (all []template.HTML) {
	say := func(n int, key string) {
		if n > 0 {
			all = append(all, w.rich(key, n))
		}
	}
	if v.Clock.SetBack > 0 {
		all = append(all, setBackWords(w, v.Clock))
	}
	if v.Stats.Full() {
		all = append(all, w.rich("bar.full"))
	}
	say(v.Stats.Dead-v.Stats.Damaged, "bar.dead")
	say(v.Stats.Damaged, "bar.damaged")
	say(v.Damage.Files, "bar.aside")
	say(v.Damage.Rows, "bar.unreadable")
	return all
}

// Ages of the oldest waiting record at which the bar changes its colour.
const (
	amberAfter = 12 * time.Hour
	redAfter   = 24 * time.Hour
)

func queueLevel(s queue.Stats, now time.Time) string {
	switch waited := now.Sub(s.OldestAt); {
	case s.Pending == 0:
		return "calm"
	case waited >= redAfter:
		return "red"
	case waited >= amberAfter:
		return "amber"
	default:
		return "waiting"
	}
}

func age(w words, d time.Duration) string {
	minutes := int(max(d, 0).Minutes())
	if minutes < 60 {
		return w.plain("bar.minutes", minutes)
	}
	return w.plain("bar.hours", minutes/60, minutes%60)
}

func longDate(lang notice.Language, d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	if lang == notice.English {
		return d.Midnight().Format("2 January 2006 (Mon)")
	}
	weekday := []rune("日月火水木金土")[d.Midnight().Weekday()]
	return fmt.Sprintf("%d年%d月%d日（%c）", d.Year, int(d.Month), d.Day, weekday)
}

// icons are the six states' signs; the word stands beside each, so they say nothing to
// assistive technology.
var icons = map[string]template.HTML{
	"answered": svg(`<path d="M5 13l4 4L19 7"/>`),
	"recorded": svg(`<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 3"/>`),
	"checking": svg(`<path d="M12 3a9 9 0 1 1-9 9"/>`),
	"task":     svg(`<path d="M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4"/>`),
	"refused":  svg(`<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6"/>`),
}

func svg(inner string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + inner + `</svg>`)
}
