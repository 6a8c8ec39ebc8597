package reception

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// record takes the form: a new check, or one that stands in place of another. A doubt comes
// back as a hint beside its field with the same values, and the second time it is recorded.
func (s *server) record(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyFault(err))
		return
	}
	v := s.view(w, r)
	s.readEntry(r, v)
	act := s.Desk.Record
	if v.Entry.Amends != "" {
		act = func(ctx context.Context, e check.Entry) (casebook.Case, []check.Doubt, error) {
			return s.Desk.Amend(ctx, e.Amends, e)
		}
	}
	c, doubts, err := act(r.Context(), v.Entry)
	if err == nil && len(doubts) > 0 && allSeen(doubts, r.PostForm["seen"]) {
		v.Entry.Override = true
		c, doubts, err = act(r.Context(), v.Entry)
	}
	switch {
	case err != nil:
		v.explain(err)
		s.complain("a check was not recorded", err)
		s.answer(w, r, statusOf(err), "checked", v)
	case len(doubts) > 0:
		v.doubt(doubts)
		s.answer(w, r, http.StatusOK, "checked", v)
	default:
		s.held.drop(v.Held)
		tab := v.Tab
		v.Entry, v.Held, v.Person, v.Amending = s.blank(), "", nil, ""
		v.Recorded = c.RecordID
		s.open(r, v, tab)
		shown, err := s.Desk.Case(r.Context(), c.RecordID)
		if err != nil { // it is recorded all the same, and must not be typed again
			shown = check.View{Case: c, Display: check.DisplayOffline}
		}
		v.Case = &shown
		w.Header().Set("X-Record-Id", c.RecordID)
		s.answer(w, r, http.StatusCreated, "checked", v)
	}
}

// allSeen tells whether every doubt stood under its field while the number was typed: then
// it was no slip of the hand, and is not asked a second time.
func allSeen(doubts []check.Doubt, seen []string) bool {
	for _, d := range doubts {
		if d.Field != check.FieldInsurer || !slices.Contains(seen, d.Code) {
			return false
		}
	}
	return true
}

// readEntry copies the form as typed; check decides what it means.
func (s *server) readEntry(r *http.Request, v *pageView) {
	f := r.PostFormValue
	copayment, _ := strconv.Atoi(f("copayment"))
	o := door.From(r.Context()).Operator
	v.Entry = check.Entry{
		Insurer: f("insurer_number"), Symbol: f("symbol"), Number: f("number"), Branch: f("branch"),
		BirthDate: f("birth_date"), VisitDay: f("visit_day"), Label: f("label"), Patient: f("patient"),
		Evidence: eligibility.Evidence(f("evidence")), Cause: eligibility.Cause(f("cause")),
		Copayment: copayment, Override: f("override") == "1", Operator: o.Name, OperatorID: o.ID,
		Family: f("family"), Face: f("face"), Amends: f("amends"), Reason: eligibility.AmendReason(f("reason")),
	}
	v.Tab = tabNumbers
	if f("form") == tabDeclare {
		v.Tab = tabDeclare
		v.Entry.DeclaredTyped = readDeclaration(f)
		if v.Entry.Label == "" {
			v.Entry.Label = v.Entry.DeclaredTyped.NameKana
		}
		if v.Entry.BirthDate == "" {
			v.Entry.BirthDate = v.Entry.DeclaredTyped.BirthDate
		}
	}
	if id := f("held"); id != "" {
		if reading, ok := s.held.get(id, s.Now()); ok {
			v.Held, v.Person = id, &reading
			v.Entry.Person = &reading.Person
			if v.Tab == tabNumbers && strings.TrimSpace(v.Entry.Insurer+v.Entry.Number) == "" {
				v.Tab = tabCard
			}
		}
	}
	if v.Entry.Amends != "" {
		v.Amending = v.Entry.Amends
	}
}

func readDeclaration(f func(string) string) check.DeclarationForm {
	return check.DeclarationForm{
		NameKanji: f(eligibility.FormNameKanji), NameKana: f(eligibility.FormNameKana), BirthDate: f(eligibility.FormBirthDate),
		Sex: f(eligibility.FormSex), Address: f(eligibility.FormAddress), Phone: f(eligibility.FormPhone),
		InsuranceKind: f(eligibility.FormInsuranceKind), InsurerName: f(eligibility.FormInsurerName),
		Employer: f(eligibility.FormEmployer), Insured: f(eligibility.FormInsured), SharePercent: f(eligibility.FormShare),
		Unchanged: f("declared_unchanged") == "1",
	}
}

// insurerKind tells the scheme of the number that is being typed, and its doubts.
func (s *server) insurerKind(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	typed := r.PostFormValue("insurer_number")
	v.Kind = kindOf(typed)
	if _, doubts, err := insurance.ParseInsurerNumber(typed); err == nil && v.Kind != "" {
		for _, d := range doubts {
			v.KindDoubts = append(v.KindDoubts, string(d))
		}
	}
	s.render(w, http.StatusOK, "kind", v)
}

// proposeShare tells the birth date that is being typed in both calendars, and the share that
// the rules say for it.
func (s *server) proposeShare(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyFault(err))
		return
	}
	v := s.view(w, r)
	s.readEntry(r, v)
	if born, _, err := jptext.ParseBirthDate(v.Entry.BirthDate, civil.In(s.Now())); err == nil {
		v.Born = born
		if c, ok := s.Desk.Propose(v.Entry); ok {
			v.Proposed = &c
		}
	}
	s.render(w, http.StatusOK, "share", v)
}

// kindOf is the key of the scheme's word; "" while the number is not whole, or is none.
func kindOf(typed string) string {
	n, _, err := insurance.ParseInsurerNumber(typed)
	if err != nil || jptext.LooksLikeMyNumber(typed) {
		return ""
	}
	return "kind." + string(n.Kind())
}

// park puts the form aside and gives an empty one. With nothing typed it is an empty one.
func (s *server) park(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyFault(err))
		return
	}
	v := s.view(w, r)
	s.readEntry(r, v)
	next := r.PostFormValue("next")
	if typedAnything(v.Entry) {
		if _, err := s.Desk.Park(r.Context(), v.Entry); err != nil {
			v.explain(err)
			s.complain("the desk could not do this", err)
			s.answer(w, r, statusOf(err), "act", v)
			return
		}
		v.Said = "said.parked"
	}
	tab := v.Tab
	if next != "" {
		tab = next
	}
	v.Entry, v.Amending, v.Held, v.Person = s.blank(), "", "", nil
	s.open(r, v, tab)
	s.answer(w, r, http.StatusOK, "act", v)
}

func typedAnything(e check.Entry) bool {
	t := e.DeclaredTyped
	t.BirthDate = ""
	return strings.TrimSpace(e.Insurer+e.Symbol+e.Number+e.Branch+e.BirthDate+e.Label+e.Patient) != "" || !t.Empty()
}

// unpark gives a parked entry back to the form.
func (s *server) unpark(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	e, err := s.Desk.Unpark(r.Context(), r.PathValue("id"))
	if err != nil {
		v.explain(err)
		s.open(r, v, tabNumbers)
		s.answer(w, r, statusOf(err), "act", v)
		return
	}
	s.giveBack(w, r, v, e)
}

// giveBack shows an entry in its form again.
func (s *server) giveBack(w http.ResponseWriter, r *http.Request, v *pageView, e check.Entry) {
	tab := tabNumbers
	if !e.DeclaredTyped.Empty() {
		tab = tabDeclare
	}
	s.open(r, v, tab)
	v.Entry, v.Amending = e, e.Amends
	v.Kind = kindOf(e.Insurer)
	s.answer(w, r, http.StatusOK, "act", v)
}

// undo takes the operator's last entry back into the form, while it is not asked.
func (s *server) undo(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	e, err := s.Desk.Undo(r.Context(), by(r))
	if err != nil {
		v.explain(err)
		s.complain("the desk could not do this", err)
		s.open(r, v, tabNumbers)
		s.answer(w, r, statusOf(err), "act", v)
		return
	}
	v.Said = "said.undone"
	s.giveBack(w, r, v, e)
}

// family begins the entry of the same family's next member.
func (s *server) family(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	e, err := s.Desk.Family(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Said = "said.family"
	s.giveBack(w, r, v, e)
}

// amendForm begins the entry that stands in place of another, with what that one holds.
func (s *server) amendForm(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	c, err := s.Desk.Case(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.open(r, v, tabNumbers)
	q := c.Inquiry
	v.Entry = check.Entry{
		Insurer: q.InsurerNumber, Symbol: q.Symbol, Number: q.Number, Branch: q.Branch, BirthDate: q.BirthDate.String(),
		VisitDay: c.VisitDay.String(), Label: c.Label, Patient: c.Patient, Evidence: c.Evidence, Copayment: c.Charge.Percent,
		Amends: c.RecordID, Family: c.Family, Reason: eligibility.Typo,
	}
	if q.BirthDate.IsZero() {
		v.Entry.BirthDate = ""
	}
	if c.State == eligibility.Recorded { // what was missing comes now
		v.Entry.Evidence, v.Entry.Reason = eligibility.EvidenceNotice, eligibility.Completed
	}
	v.Amending = c.RecordID
	v.Kind = kindOf(q.InsurerNumber)
	s.answer(w, r, http.StatusOK, "act", v)
}

// past proposes own past records of the person in the form.
func (s *server) past(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	s.readEntry(r, v)
	birth, _, err := jptext.ParseBirthDate(v.Entry.BirthDate, civil.In(s.Now()))
	if err == nil {
		if v.Past, err = s.Desk.Past(r.Context(), birth, v.Entry.Label); err != nil {
			s.complain("the desk could not do this", err)
		}
	}
	v.Kind = kindOf(v.Entry.Insurer)
	if len(v.Past) == 1 && strings.TrimSpace(v.Entry.Insurer+v.Entry.Number) == "" {
		q := v.Past[0].Inquiry
		v.Entry.Insurer, v.Entry.Symbol, v.Entry.Number, v.Entry.Branch = q.InsurerNumber, q.Symbol, q.Number, q.Branch
		v.Entry.Evidence = eligibility.EvidencePastRecord
		v.Kind = kindOf(q.InsurerNumber)
	}
	v.PastAsked = true
	s.answer(w, r, http.StatusOK, "act", v)
}
