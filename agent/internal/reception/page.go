package reception

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/notice"
)

// pageView is everything a template may show.
type pageView struct {
	W           words
	Langs       []notice.Language
	Profile     profile.Profile
	Line        uplink.Line
	Stats       queue.Stats
	Damage      Damage
	Folder      *check.Health // nil: the clinic's own terminal is not used
	Card        counter.Status
	HasCards    bool
	Findings    []doctor.Finding // what keeps the terminal from its work
	Insurance   bool             // the terminal's class may ask for insurance numbers
	Visitor     door.Visitor
	Now         time.Time
	Practice    bool
	PracticeURL string
	HasOutbox   bool

	Cases      []check.View
	Parked     []check.Parked
	Faces      []check.Face
	More       int // rows that the list does not show
	Case       *check.View
	Month      *check.Month
	Booked     []precheck.Standing
	BookedOn   civil.Date
	Loaded     int
	ListFaults []precheck.Fault
	Past       []check.View
	PastAsked  bool
	Outbox     *outboxView
	Lessons    []rehearsal.Lesson
	Sheets     []rehearsal.Sheet
	Specimen   rehearsal.Specimen

	Entry      check.Entry
	Kind       string         // key of the catalogue: the insurer's scheme
	Born       civil.Date     // the birth date that is being typed
	Proposed   *charge.Charge // the share by the rules, while it is being typed
	KindDoubts []string       // what is doubtful in the number that is being typed
	Amending   string         // the record that the entry stands in place of
	Held       string         // handle of what a card said
	Person     *counter.Reading
	CardFault  card.Word
	Errors     map[string]string // field → key of the catalogue
	Doubts     map[string]string
	General    string // key of the catalogue for what is wrong with no one field
	Said       string // key of the catalogue for what was done, told politely
	Recorded   string
	Unmasked   bool // the number is shown whole, by F8

	Tab                 string
	Tabs                []string
	ScanText            string
	LinkText            string // of a link that a person may open
	Repairs, ScanFaults []string
	PartsRead, PartsOf  int
	Verdict             *cert.Verdict
	TrustAsOf           time.Time
	Clock               clockfloor.Reading
	Sheet               string // a print view
	Whole               bool   // the answer is a whole page, not a part of one
}

func (s *server) view(w http.ResponseWriter, r *http.Request) *pageView {
	v := &pageView{
		W: s.words[s.language(w, r)], Langs: notice.Languages(), Profile: s.Profile(), Line: s.Line(),
		Stats: s.Stats(), Now: s.Now(), Damage: s.Damage(), Entry: s.blank(), TrustAsOf: s.Verifier.TrustAsOf(r.Context()),
		Clock: s.Verifier.Clock(), Visitor: door.From(r.Context()), Practice: s.Practice != nil, HasOutbox: s.Outbox != nil,
	}
	v.Insurance = v.Profile.Class.MayCheckInsurance()
	v.Tabs = tabsOf(v.Insurance)
	if s.Cards != nil {
		v.HasCards, v.Card = true, s.Cards.Status()
	}
	if s.Folder != nil && v.Insurance {
		h := s.Folder()
		v.Folder = &h
	}
	if s.Findings != nil {
		v.Findings = s.Findings(r.Context())
	}
	if s.PracticeURL != nil {
		v.PracticeURL = s.PracticeURL()
	}
	return v
}

// open puts what a tab shows on the page; a tab that the class does not have is its first.
func (s *server) open(r *http.Request, v *pageView, tab string) {
	if !slices.Contains(v.Tabs, tab) && (tab != tabOutbox || s.Outbox == nil) {
		tab = tabScan
		if v.Insurance {
			tab = tabNumbers
		}
	}
	v.Tab = tab
	var err error
	switch tab {
	case tabFaces:
		v.Faces, err = s.Desk.Faces(r.Context())
		s.list(r, v)
	case tabMonth:
		year, month := s.monthOf(r)
		var m check.Month
		if m, err = s.Desk.Month(r.Context(), year, month); err == nil {
			v.Month = &m
		}
	case tabBookings:
		v.BookedOn = civil.In(s.Now()).AddDays(1)
		if s.Bookings != nil {
			v.Booked, err = s.Bookings.Bookings(r.Context(), v.BookedOn)
		}
	case tabOutbox:
		err = s.readOutbox(r, v)
	case tabHelp:
		if s.Practice != nil {
			v.Lessons, err = s.Practice.Lessons(r.Context())
			v.Sheets, v.Specimen = rehearsal.Sheets(), s.Practice.Specimen()
		}
	}
	if err != nil {
		v.General = "e.failed"
		s.complain("the desk could not do this", err)
	}
}

// whole answers with the whole page, list included.
func (s *server) whole(w http.ResponseWriter, r *http.Request, status int, v *pageView) {
	s.list(r, v)
	s.render(w, status, "page", v)
}

// list puts today's rows, what was put aside and the queue's figures on the page as they are
// now. Terminals that may not ask for insurance have no rows.
func (s *server) list(r *http.Request, v *pageView) {
	v.Stats = s.Stats()
	if !v.Insurance {
		return
	}
	var err error
	if v.Cases, v.More, err = s.Desk.Today(r.Context()); err != nil {
		s.Log.Error("cannot list today's cases", "error", err)
	}
	if v.Parked, err = s.Desk.Parked(r.Context()); err != nil {
		s.Log.Error("cannot list what was put aside", "error", err)
	}
}

// blank is the form as it stands empty: today's visit, 資格確認書, and the share that the
// rules say.
func (s *server) blank() check.Entry {
	return check.Entry{VisitDay: civil.In(s.Now()).String(), Evidence: eligibility.EvidenceCertificate}
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
		s.failIn(w, v.W, fmt.Errorf("cannot copy the pages: %w", err))
		return
	}
	v.Whole = name == "page"
	var out bytes.Buffer
	if err := page.Funcs(funcs(v.W)).ExecuteTemplate(&out, name, v); err != nil {
		s.failIn(w, v.W, fmt.Errorf("cannot write the page: %w", err))
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
		key := v.keyOf(f)
		if f.Code == fault.MyNumberRefused {
			v.clear(f.Place)
		}
		if !v.hasField(f.Place) {
			v.General = key
			continue
		}
		v.Errors[f.Place] = key
	}
	if len(v.Errors) == 0 && v.General == "" {
		v.General = "e.failed"
	}
}

// keyOf is the key of the catalogue for a fault.
func (v *pageView) keyOf(f *fault.Error) string {
	known := func(key string) bool { _, ok := v.W.text[key]; return ok }
	switch f.Code {
	case fault.MyNumberRefused:
		return "e.my_number"
	case fault.QueueFull:
		return "e.full"
	case fault.InvalidArgument, fault.Conflict, fault.Forbidden:
		if key := "e." + f.Message; known(key) {
			return key
		}
		switch f.Code {
		case fault.Forbidden:
			return "e.class"
		case fault.InvalidArgument:
			return "e.form"
		}
	case fault.NotFound:
		return "e.gone"
	case fault.Unavailable:
		if f.Place == check.PlaceClock || f.Place == check.PlacePayer {
			return "e." + f.Place
		}
	}
	return "e.failed"
}

// hasField tells whether the form has room for words beside the field.
func (v *pageView) hasField(place string) bool {
	if strings.HasPrefix(place, "declared_") {
		return v.Tab == tabDeclare
	}
	return slices.Contains(fields, place)
}

// fields are the places that have room for words of their own on the form.
var fields = []string{
	check.FieldInsurer, check.FieldSymbol, check.FieldNumber, check.FieldBranch, check.FieldBirth, check.FieldVisit, check.FieldLabel,
	check.FieldPatient, check.FieldReason,
}

func (v *pageView) clear(field string) {
	e := &v.Entry
	t := &e.DeclaredTyped
	for name, value := range map[string]*string{
		check.FieldInsurer: &e.Insurer, check.FieldSymbol: &e.Symbol, check.FieldNumber: &e.Number,
		check.FieldBranch: &e.Branch, check.FieldBirth: &e.BirthDate, check.FieldVisit: &e.VisitDay, check.FieldLabel: &e.Label,
		check.FieldPatient: &e.Patient, eligibility.FormNameKanji: &t.NameKanji, eligibility.FormNameKana: &t.NameKana,
		eligibility.FormBirthDate: &t.BirthDate, eligibility.FormAddress: &t.Address, eligibility.FormPhone: &t.Phone,
		eligibility.FormInsurerName: &t.InsurerName, eligibility.FormEmployer: &t.Employer, eligibility.FormShare: &t.SharePercent,
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

// field is what the template of one input needs.
type field struct {
	V                              *pageView
	Name, Label, Hint, Value, Mode string
}

// rowState is the state of a row in the list: one of the six that every face shares.
func rowState(v check.View) string {
	switch {
	case v.Display == check.DisplayVoided:
		return "voided"
	case v.Display == check.DisplayRefused:
		return "refused"
	case v.Task.Open(), v.Need == check.NeedNumber:
		return "task"
	case v.Display == check.DisplayChecking:
		return "checking"
	case v.Display == check.DisplayLate && v.State == eligibility.Sent:
		return "checking"
	case v.Display == check.DisplayOffline, v.Display == check.DisplayLate, v.Display == check.DisplayRecorded:
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
	case check.DisplayOffline, check.DisplayRecorded:
		return "waiting"
	case check.DisplayVoided, check.DisplayReviewed:
		return "calm"
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
	// A clock that is known to have been set back is said once.
	if v.Clock.SetBack <= 0 || v.Line.Reason != uplink.ClockWrong || !v.Line.ClockBehind {
		all = append(all, lineTroubles(w, v.Line)...)
	}
	say(v.Stats.Stale, "bar.stale")
	say(v.Stats.Dead-v.Stats.Damaged, "bar.dead")
	say(v.Stats.Damaged, "bar.damaged")
	if v.Damage.Closed {
		all = append(all, w.rich("bar.closed"))
	}
	say(v.Damage.Files, "bar.aside")
	say(v.Damage.Rows, "bar.unreadable")
	if v.Folder != nil && !v.Folder.Ready {
		all = append(all, w.rich("bar.folder_down"))
	}
	for _, f := range v.Findings {
		switch {
		case f.OK() || !slices.Contains(barParts, f.Part):
		case stops(f):
			all = append(all, saidAndMend(w, f))
		default:
			all = append(all, w.written(f.Said(string(w.Lang))))
		}
	}
	return all
}

// barParts are the parts whose faults the bar does not say in words of its own.
var barParts = []doctor.Part{doctor.PCSCD, doctor.Reader, doctor.Scanner, doctor.Disk, doctor.Trust, doctor.Enrolment}

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

// manyDays is from when on ages are told in days.
const manyDays = 2

func age(w words, d time.Duration) string {
	minutes := int(max(d, 0).Minutes())
	switch {
	case minutes < 60:
		return w.plain("bar.minutes", minutes)
	case minutes >= manyDays*24*60:
		return w.plain("bar.days", minutes/60/24, minutes/60%24)
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

// tabKeys are the keys that open the tabs.
var tabKeys = map[string]string{
	tabCard: "F1", tabNumbers: "F2", tabScan: "F3", tabFaces: "F4", tabDeclare: "F5", tabMonth: "F10", tabBookings: "", tabHelp: "",
}

// insuranceKinds are the schemes that a patient may declare.
func insuranceKinds() []string {
	return []string{
		string(insurance.NationalHealth), string(insurance.Kyokai), string(insurance.Society), string(insurance.MutualAid),
		string(insurance.LateStage), string(insurance.Seamen), eligibility.KindUnknown,
	}
}

// cardIcon is the sign of what lies in the reader.
func cardIcon(c counter.Status) string {
	switch {
	case c.Fault != "", c.Card == counter.Mute, c.Card == counter.Other:
		return "refused"
	case c.Card == counter.None, c.Card == "":
		return "recorded"
	case c.Card == counter.MyNumber:
		return "answered"
	}
	return "task"
}

// maskedText shows the last three characters.
func maskedText(s string) string {
	r := []rune(s)
	if len(r) <= 3 {
		return "***"
	}
	return "***" + string(r[len(r)-3:])
}

// csrfHeaders is what htmx adds to every request.
func csrfHeaders(token string) string {
	b, err := json.Marshal(map[string]string{"X-CSRF-Token": token})
	if err != nil {
		return "{}"
	}
	return string(b)
}

// icons are the six states' signs; the word stands beside each, so they say nothing to
// assistive technology.
var icons = map[string]template.HTML{
	"answered": svg(`<path d="M5 13l4 4L19 7"/>`),
	"recorded": svg(`<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 3"/>`),
	"checking": svg(`<path d="M12 3a9 9 0 1 1-9 9"/>`),
	"task":     svg(`<path d="M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4"/>`),
	"voided":   svg(`<path d="M5 12h14"/>`),
	"refused":  svg(`<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6"/>`),
}

func svg(inner string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + inner + `</svg>`)
}
