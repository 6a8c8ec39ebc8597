package check

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// The fields of an Entry, as faults and doubts name them.
const (
	FieldInsurer = "insurer_number"
	FieldSymbol  = "symbol"
	FieldNumber  = "number"
	FieldBranch  = "branch"
	FieldBirth   = "birth_date"
	FieldVisit   = "visit_day"
	FieldLabel   = "label"

	FieldPatient   = "patient"
	FieldEvidence  = "evidence"
	FieldCopayment = "copayment"
	FieldCause     = "cause"
	FieldReason    = "reason"
	FieldFace      = "face"
	FieldPerson    = "person"
	FieldFamily    = "family"
	FieldAmends    = "amends"
)

// The fields of 被保険者資格申立書 are eligibility.Form….

// MaxLabel is the longest name in kana for the list, in characters.
const MaxLabel = 60

// Entry is what the receptionist typed, as typed.
type Entry struct {
	Insurer, Symbol, Number, Branch string
	BirthDate, VisitDay, Label      string
	Evidence                        eligibility.Evidence
	Copayment                       int    // the share assumed for now, in percent: 10, 20 or 30
	Operator                        string // who sits at the desk, by name; stays on the terminal
	OperatorID                      string // the operator's handle, which is sent: "op_1"
	Override                        bool   // record in spite of doubts

	Patient       string                      // the clinic's own reference, at most MaxPatient characters
	Person        *eligibility.Person         // who the card named
	Declared      *eligibility.Declaration    // read already; else DeclaredTyped is read, unless it is empty
	DeclaredTyped eligibility.DeclarationForm //
	Cause         eligibility.Cause           // "" = worked out
	Family        string                      // the record of the same family's first member
	Face          string                      // a waiting result of the face reader: see Faces
	Amends        string                      // the record that this one stands in place of: see Amend
	Reason        eligibility.AmendReason     // with Amends
}

// MaxPatient is the longest reference of the clinic's own (照会番号), in characters.
const MaxPatient = 50

// DeclarationForm is 被保険者資格申立書 as it was typed.
type DeclarationForm = eligibility.DeclarationForm

// Doubt is a warning beside a field. Code is an insurance.Doubt or a jptext.Hint.
type Doubt struct{ Field, Code string }

// read turns what was typed into a case without a record. All faults are joined, each with
// its field; a My Number in any field is MyNumberRefused.
func (e Entry) read(today civil.Date) (casebook.Case, []Doubt, error) {
	r := reader{today: today}
	declared := r.declaration(&e)
	if e.Person != nil && strings.TrimSpace(e.BirthDate) == "" {
		e.BirthDate = e.Person.BirthDate.String()
	}
	inquiry := r.inquiry(e)
	c := casebook.Case{
		VisitDay: inquiry.VisitDay, Operator: e.Operator, OperatorID: e.OperatorID, Label: r.label(e.Label),
		Patient: r.patient(e.Patient), Inquiry: inquiry, Evidence: e.Evidence, Person: e.Person, Declared: declared,
		Cause: e.Cause, Family: r.id(FieldFamily, e.Family),
		Typed: casebook.Typed{Insurer: e.Insurer, Symbol: e.Symbol, Number: e.Number, Branch: e.Branch, Birth: e.BirthDate, Copayment: e.Copayment},
	}
	r.choice(e.Copayment == 0 || slices.Contains([]int{10, 20, 30}, e.Copayment), FieldCopayment)
	r.choice(slices.Contains(eligibility.Evidences(), e.Evidence) && e.Evidence != eligibility.EvidenceFaceReader, FieldEvidence)
	r.choice(e.Cause == "" || slices.Contains(eligibility.Causes(), e.Cause), FieldCause)
	r.named(c)
	if err := errors.Join(r.faults...); err != nil {
		return casebook.Case{}, nil, err
	}
	c.Assumed = eligibility.Assumption{
		Validity: eligibility.Valid, InsurerNumber: inquiry.InsurerNumber, Symbol: inquiry.Symbol,
		Number: inquiry.Number, Branch: inquiry.Branch, CopaymentPercent: e.Copayment,
	}
	return c, r.doubts, nil
}

// inquiry reads the numbers and the days. Evidence that shows no numbers may come without.
func (r *reader) inquiry(e Entry) eligibility.Inquiry {
	var q eligibility.Inquiry
	if !bare(e) || !mayLackNumbers(e.Evidence) {
		insurer := r.insurer(e.Insurer)
		symbol := take(r, FieldSymbol, e.Symbol, insurance.ParseSymbol)
		number := take(r, FieldNumber, e.Number, insurance.ParseMemberNumber)
		branch := take(r, FieldBranch, e.Branch, insurance.ParseBranch)
		if len(r.faults) == 0 {
			for _, d := range insurance.CheckMember(insurer, symbol, number, branch) {
				r.doubt(fieldOf(d), string(d))
			}
		}
		q.InsurerNumber, q.Symbol, q.Number, q.Branch = string(insurer), string(symbol), string(number), string(branch)
	}
	q.BirthDate = r.birth(e.BirthDate)
	q.VisitDay = r.visit(e.VisitDay, q.BirthDate)
	return q
}

func bare(e Entry) bool {
	return strings.TrimSpace(e.Insurer+e.Symbol+e.Number+e.Branch) == ""
}

// mayLackNumbers tells the evidence that says who somebody is and not how they are insured.
func mayLackNumbers(e eligibility.Evidence) bool {
	switch e {
	case eligibility.EvidenceCardPIN, eligibility.EvidenceVisual, eligibility.EvidenceSelfDeclaration:
		return true
	}
	return false
}

// declaration reads 被保険者資格申立書 where one was filled in; its birth date and kana serve
// for the row where these were not typed.
func (r *reader) declaration(e *Entry) *eligibility.Declaration {
	d := e.Declared
	if d == nil && !e.DeclaredTyped.Empty() {
		read, err := e.DeclaredTyped.Parse(r.today)
		if err != nil {
			r.faults = append(r.faults, each(err)...)
			return nil
		}
		d = &read
	}
	if d == nil {
		return nil
	}
	if strings.TrimSpace(e.BirthDate) == "" {
		e.BirthDate = d.BirthDate.String()
	}
	if strings.TrimSpace(e.Label) == "" {
		e.Label = d.NameKana
	}
	return d
}

func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// named asks for somebody to be named where there are no numbers: a row of which nobody
// knows whose it is can not be completed later.
func (r *reader) named(c casebook.Case) {
	if c.HasNumbers() || !mayLackNumbers(c.Evidence) || len(r.faults) > 0 {
		return
	}
	switch {
	case c.Evidence == eligibility.EvidenceSelfDeclaration && c.Declared == nil:
		r.fail(eligibility.FormNameKanji, "required")
	case c.Label == "" && c.Person == nil && c.Declared == nil:
		r.fail(FieldLabel, "required")
	}
}

func (r *reader) patient(typed string) string {
	switch {
	case jptext.HoldsMyNumber(typed):
		r.refused(FieldPatient, fault.New(fault.MyNumberRefused, ""))
	case utf8.RuneCountInString(typed) > MaxPatient:
		r.fail(FieldPatient, "too_long")
	case !utf8.ValidString(typed) || strings.ContainsFunc(typed, unicode.IsControl):
		r.fail(FieldPatient, "form")
	}
	return strings.TrimSpace(typed)
}

// machineID is a record's ID, or the handle of a face reader's result. These are exempt from
// the search for My Numbers by what they are.
var machineID = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24})$`)

// id takes an ID that a page carries, and nothing that a person may have typed in its place.
func (r *reader) id(field, id string) string {
	switch {
	case id == "" || machineID.MatchString(id):
	case jptext.HoldsMyNumber(id):
		r.refused(field, fault.New(fault.MyNumberRefused, ""))
	default:
		r.fail(field, "form")
	}
	return id
}

// reader collects what is wrong and what is doubtful while fields are read.
type reader struct {
	today  civil.Date
	faults []error
	doubts []Doubt
}

func (r *reader) fail(field, word string) {
	r.faults = append(r.faults, fault.At(fault.InvalidArgument, field, "%s", word))
}

func (r *reader) doubt(field, code string) { r.doubts = append(r.doubts, Doubt{field, code}) }

func (r *reader) choice(ok bool, field string) {
	if !ok {
		r.fail(field, "required")
	}
}

func (r *reader) insurer(typed string) insurance.InsurerNumber {
	if strings.TrimSpace(typed) == "" {
		r.fail(FieldInsurer, "required")
		return ""
	}
	n, doubts, err := insurance.ParseInsurerNumber(typed)
	r.refused(FieldInsurer, err)
	for _, d := range doubts {
		r.doubt(FieldInsurer, string(d))
	}
	return n
}

// take reads one field; its fault keeps the desk's name for the field.
func take[T any](r *reader, field, typed string, parse func(string) (T, error)) T {
	if field == FieldNumber && strings.TrimSpace(typed) == "" {
		r.fail(field, "required")
		var none T
		return none
	}
	v, err := parse(typed)
	r.refused(field, err)
	return v
}

func (r *reader) refused(field string, err error) {
	switch fault.CodeOf(err) {
	case "":
	case fault.MyNumberRefused:
		r.faults = append(r.faults, fault.At(fault.MyNumberRefused, field, "this is a My Number; it was not kept"))
	case fault.TooLarge:
		r.fail(field, "too_long")
	default:
		r.fail(field, "form")
	}
}

func (r *reader) birth(typed string) civil.Date {
	if r.unusable(FieldBirth, typed) {
		return civil.Date{}
	}
	d, hint, err := jptext.ParseBirthDate(typed, r.today)
	if err != nil {
		r.fail(FieldBirth, "date")
	}
	if hint != jptext.HintNone {
		r.doubt(FieldBirth, string(hint))
	}
	return d
}

// visit reads the day of the visit, today where nothing was typed. A day to come cannot be
// recorded: it has no evidence yet.
func (r *reader) visit(typed string, birth civil.Date) civil.Date {
	if strings.TrimSpace(typed) == "" {
		return r.today
	}
	if r.unusable(FieldVisit, typed) {
		return civil.Date{}
	}
	d, _, err := jptext.ParseDate(typed)
	switch {
	case err != nil, d.Before(birth):
		r.fail(FieldVisit, "date")
	case d.After(r.today):
		r.fail(FieldVisit, "future")
	}
	return d
}

func (r *reader) unusable(field, typed string) bool {
	switch {
	case strings.TrimSpace(typed) == "":
		r.fail(field, "required")
	case jptext.LooksLikeMyNumber(typed):
		r.refused(field, fault.New(fault.MyNumberRefused, ""))
	default:
		return false
	}
	return true
}

func (r *reader) label(typed string) string {
	switch {
	case jptext.HoldsMyNumber(typed):
		r.refused(FieldLabel, fault.New(fault.MyNumberRefused, ""))
	case utf8.RuneCountInString(typed) > MaxLabel:
		r.fail(FieldLabel, "too_long")
	case !utf8.ValidString(typed):
		r.fail(FieldLabel, "form")
	}
	return strings.TrimSpace(jptext.Fold(typed))
}

func fieldOf(d insurance.Doubt) string {
	switch d {
	case insurance.DoubtSymbol:
		return FieldSymbol
	case insurance.DoubtMemberNumber:
		return FieldNumber
	case insurance.DoubtBranch:
		return FieldBranch
	default:
		return FieldInsurer
	}
}
