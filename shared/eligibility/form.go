package eligibility

import (
	"errors"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// DeclarationForm is 被保険者資格申立書 as it was typed. It masks itself in logs.
type DeclarationForm struct {
	NameKanji     string `json:"name_kanji,omitempty"`
	NameKana      string `json:"name_kana,omitempty"`
	BirthDate     string `json:"birth_date,omitempty"`
	Sex           string `json:"sex,omitempty"` // 1 male, 2 female, or empty
	Address       string `json:"address,omitempty"`
	Phone         string `json:"phone,omitempty"`
	InsuranceKind string `json:"insurance_kind,omitempty"` // insurance.Kind, KindUnknown, or empty
	InsurerName   string `json:"insurer_name,omitempty"`
	Employer      string `json:"employer,omitempty"`
	Insured       string `json:"insured,omitempty"`       // InsuredSelf, InsuredDependant, or empty
	SharePercent  string `json:"share_percent,omitempty"` // 10, 20, 30, 1割 …, or empty
	Unchanged     bool   `json:"unchanged,omitempty"`
}

// LogValue masks all of it.
func (DeclarationForm) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (DeclarationForm) String() string { return "***" }

// The fields of a form, as faults name them.
const (
	FormNameKanji     = "declared_name_kanji"
	FormNameKana      = "declared_name_kana"
	FormBirthDate     = "declared_birth_date"
	FormSex           = "declared_sex"
	FormAddress       = "declared_address"
	FormPhone         = "declared_phone"
	FormInsuranceKind = "declared_insurance_kind"
	FormInsurerName   = "declared_insurer_name"
	FormEmployer      = "declared_employer"
	FormInsured       = "declared_insured"
	FormShare         = "declared_share_percent"
)

// What a form says of the kind of insurance and of the person's place in it.
const (
	KindUnknown      = "unknown"
	InsuredSelf      = "self"
	InsuredDependant = "dependant"
)

// Longest texts of a form, in characters.
const (
	MaxDeclaredName    = 60
	MaxDeclaredAddress = 200
	MaxDeclaredText    = 100
	maxPhone           = 20
)

// Empty tells that nothing was filled in.
func (f DeclarationForm) Empty() bool { return f == DeclarationForm{} }

// Parse reads the form on a day of Japan. Only name and birth date must be there: people
// declare as far as they know. All faults are joined, each with its field and one of the
// words required, too_long, form, date; a My Number in any field is MyNumberRefused. Names
// and addresses stay as they were written, less the blanks around them.
func (f DeclarationForm) Parse(today civil.Date) (Declaration, error) {
	var r formReader
	d := Declaration{
		NameKanji:     r.text(FormNameKanji, f.NameKanji, MaxDeclaredName, true),
		NameKana:      r.text(FormNameKana, f.NameKana, MaxDeclaredName, false),
		BirthDate:     r.birth(f.BirthDate, today),
		Sex:           r.oneOf(FormSex, jptext.Bare(f.Sex), "1", "2"),
		Address:       r.text(FormAddress, f.Address, MaxDeclaredAddress, false),
		Phone:         r.phone(f.Phone),
		InsuranceKind: r.oneOf(FormInsuranceKind, strings.TrimSpace(f.InsuranceKind), kinds()...),
		InsurerName:   r.text(FormInsurerName, f.InsurerName, MaxDeclaredText, false),
		Employer:      r.text(FormEmployer, f.Employer, MaxDeclaredText, false),
		Insured:       r.oneOf(FormInsured, strings.TrimSpace(f.Insured), InsuredSelf, InsuredDependant),
		SharePercent:  r.share(f.SharePercent),
		Unchanged:     f.Unchanged,
	}
	if err := errors.Join(r.faults...); err != nil {
		return Declaration{}, err
	}
	return d, nil
}

// Form gives the declaration back as a form, to be typed further.
func (d Declaration) Form() DeclarationForm {
	f := DeclarationForm{
		NameKanji: d.NameKanji, NameKana: d.NameKana, BirthDate: d.BirthDate.String(), Sex: d.Sex, Address: d.Address,
		Phone: d.Phone, InsuranceKind: d.InsuranceKind, InsurerName: d.InsurerName, Employer: d.Employer,
		Insured: d.Insured, Unchanged: d.Unchanged,
	}
	switch d.SharePercent {
	case 10, 20, 30:
		f.SharePercent = string(rune('0'+d.SharePercent/10)) + "0"
	}
	return f
}

// Clear empties one field by the name that faults have for it.
func (f *DeclarationForm) Clear(field string) {
	for name, value := range map[string]*string{
		FormNameKanji: &f.NameKanji, FormNameKana: &f.NameKana, FormBirthDate: &f.BirthDate, FormSex: &f.Sex,
		FormAddress: &f.Address, FormPhone: &f.Phone, FormInsuranceKind: &f.InsuranceKind,
		FormInsurerName: &f.InsurerName, FormEmployer: &f.Employer, FormInsured: &f.Insured, FormShare: &f.SharePercent,
	} {
		if name == field {
			*value = ""
		}
	}
}

type formReader struct{ faults []error }

func (r *formReader) fail(field, word string) {
	r.faults = append(r.faults, fault.At(fault.InvalidArgument, field, "%s", word))
}

// refused tells that the text holds a My Number, and says so.
func (r *formReader) refused(field, typed string) bool {
	if !jptext.HoldsMyNumber(typed) {
		return false
	}
	r.faults = append(r.faults, fault.At(fault.MyNumberRefused, field, "this is a My Number; it was not kept"))
	return true
}

func (r *formReader) text(field, typed string, limit int, required bool) string {
	s := strings.TrimSpace(typed)
	switch {
	case r.refused(field, typed):
	case s == "" && required:
		r.fail(field, "required")
	case utf8.RuneCountInString(typed) > limit:
		r.fail(field, "too_long")
	case !utf8.ValidString(typed) || strings.ContainsFunc(s, unicode.IsControl):
		r.fail(field, "form")
	default:
		return s
	}
	return ""
}

func (r *formReader) birth(typed string, today civil.Date) civil.Date {
	switch {
	case strings.TrimSpace(typed) == "":
		r.fail(FormBirthDate, "required")
		return civil.Date{}
	case r.refused(FormBirthDate, typed):
		return civil.Date{}
	}
	d, _, err := jptext.ParseBirthDate(typed, today)
	if err != nil {
		r.fail(FormBirthDate, "date")
	}
	return d
}

func (r *formReader) phone(typed string) string {
	s := r.text(FormPhone, typed, maxPhone, false)
	for _, c := range jptext.Bare(s) {
		if !strings.ContainsRune("0123456789+()", c) {
			r.fail(FormPhone, "form")
			return ""
		}
	}
	return jptext.Fold(s)
}

func (r *formReader) oneOf(field, typed string, known ...string) string {
	if typed == "" || r.refused(field, typed) {
		return ""
	}
	for _, k := range known {
		if k == typed {
			return k
		}
	}
	r.fail(field, "form")
	return ""
}

func (r *formReader) share(typed string) int {
	if r.refused(FormShare, typed) {
		return 0
	}
	switch strings.NewReplacer("割", "0", "%", "").Replace(jptext.Bare(typed)) {
	case "":
	case "10":
		return 10
	case "20":
		return 20
	case "30":
		return 30
	default:
		r.fail(FormShare, "form")
	}
	return 0
}

func kinds() []string {
	return []string{
		KindUnknown, string(insurance.NationalHealth), string(insurance.Kyokai), string(insurance.Seamen),
		string(insurance.DayLabourer), string(insurance.Society), string(insurance.SelfDefence), string(insurance.MutualAid),
		string(insurance.LateStage), string(insurance.SpecialRetired), string(insurance.OtherKind),
	}
}
