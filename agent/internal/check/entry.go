package check

import (
	"errors"
	"slices"
	"strings"
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
	insurer := r.insurer(e.Insurer)
	symbol := take(&r, FieldSymbol, e.Symbol, insurance.ParseSymbol)
	number := take(&r, FieldNumber, e.Number, insurance.ParseMemberNumber)
	branch := take(&r, FieldBranch, e.Branch, insurance.ParseBranch)
	birth := r.birth(e.BirthDate)
	visit := r.visit(e.VisitDay, birth)
	label := r.label(e.Label)
	r.choice(slices.Contains([]int{10, 20, 30}, e.Copayment), "copayment")
	r.choice(slices.Contains(evidences, e.Evidence), "evidence")
	if err := errors.Join(r.faults...); err != nil {
		return casebook.Case{}, nil, err
	}
	for _, d := range insurance.CheckMember(insurer, symbol, number, branch) {
		r.doubt(fieldOf(d), string(d))
	}
	inquiry := eligibility.Inquiry{
		InsurerNumber: string(insurer), Symbol: string(symbol), Number: string(number), Branch: string(branch),
		BirthDate: birth, VisitDay: visit,
	}
	return casebook.Case{
		VisitDay: visit, Operator: e.Operator, Label: label, Inquiry: inquiry, Evidence: e.Evidence,
		Assumed: eligibility.Assumption{
			Validity: eligibility.Valid, InsurerNumber: inquiry.InsurerNumber, Symbol: inquiry.Symbol,
			Number: inquiry.Number, Branch: inquiry.Branch, CopaymentPercent: e.Copayment,
		},
	}, r.doubts, nil
}

var evidences = []eligibility.Evidence{
	eligibility.EvidenceCertificate, eligibility.EvidenceNotice, eligibility.EvidencePortalScreen,
	eligibility.EvidencePastRecord, eligibility.EvidenceSelfDeclaration,
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
