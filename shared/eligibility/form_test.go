package eligibility_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

var today = civil.Date{Year: 2026, Month: 11, Day: 22}

func form() eligibility.DeclarationForm {
	return eligibility.DeclarationForm{
		NameKanji: "髙橋　﨑子", NameKana: "タカハシ サキコ", BirthDate: "昭和15年1月5日", Sex: "２", Address: "みなと市中央１−２−３",
		Phone: "03-1234-5678", InsuranceKind: "late_stage", InsurerName: "みなと県後期高齢者医療広域連合", Employer: "",
		Insured: eligibility.InsuredSelf, SharePercent: "２割", Unchanged: true,
	}
}

func TestADeclarationIsRead(t *testing.T) {
	d, err := form().Parse(today)
	if err != nil {
		t.Fatal(err)
	}
	want := eligibility.Declaration{
		NameKanji: "髙橋　﨑子", NameKana: "タカハシ サキコ", BirthDate: civil.Date{Year: 1940, Month: 1, Day: 5}, Sex: "2",
		Address: "みなと市中央１−２−３", Phone: "03-1234-5678", InsuranceKind: "late_stage", InsurerName: "みなと県後期高齢者医療広域連合",
		Insured: "self", SharePercent: 20, Unchanged: true,
	}
	if d != want {
		t.Error("it was read otherwise")
	}
	if again, err := d.Form().Parse(today); err != nil || again != d {
		t.Errorf("it does not survive being typed again: %v", err)
	}
	if fmt.Sprint(d, form()) != "*** ***" {
		t.Error("it shows itself")
	}
}

// People declare as far as they know.
func TestNameAndBirthDateAreEnough(t *testing.T) {
	f := eligibility.DeclarationForm{NameKanji: " 山田 花 ", BirthDate: "1980-04-01"}
	if d, err := f.Parse(today); err != nil || d.NameKanji != "山田 花" {
		t.Errorf("%v", err)
	}
	if (eligibility.DeclarationForm{}).Empty() != true || f.Empty() {
		t.Error("empty is not empty")
	}
}

func TestFaultsOfADeclaration(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*eligibility.DeclarationForm)
		want   []string
	}{
		"nothing":              {func(f *eligibility.DeclarationForm) { *f = eligibility.DeclarationForm{} }, []string{"declared_name_kanji: required", "declared_birth_date: required"}},
		"40 characters":        {func(f *eligibility.DeclarationForm) { f.NameKanji = strings.Repeat("髙", 40) }, nil},
		"60 characters":        {func(f *eligibility.DeclarationForm) { f.NameKanji = strings.Repeat("𠮷", 60) }, nil},
		"61 characters":        {func(f *eligibility.DeclarationForm) { f.NameKanji = strings.Repeat("髙", 61) }, []string{"declared_name_kanji: too_long"}},
		"a long address":       {func(f *eligibility.DeclarationForm) { f.Address = strings.Repeat("あ", 201) }, []string{"declared_address: too_long"}},
		"born tomorrow":        {func(f *eligibility.DeclarationForm) { f.BirthDate = "2026-11-23" }, []string{"declared_birth_date: date"}},
		"a day that is none":   {func(f *eligibility.DeclarationForm) { f.BirthDate = "1980-02-30" }, []string{"declared_birth_date: date"}},
		"two hundred years":    {func(f *eligibility.DeclarationForm) { f.BirthDate = "1826-01-01" }, []string{"declared_birth_date: date"}},
		"a sex that is none":   {func(f *eligibility.DeclarationForm) { f.Sex = "3" }, []string{"declared_sex: form"}},
		"letters in a number":  {func(f *eligibility.DeclarationForm) { f.Phone = "call me" }, []string{"declared_phone: form"}},
		"a kind that is none":  {func(f *eligibility.DeclarationForm) { f.InsuranceKind = "private" }, []string{"declared_insurance_kind: form"}},
		"kind unknown":         {func(f *eligibility.DeclarationForm) { f.InsuranceKind = eligibility.KindUnknown }, nil},
		"a place that is none": {func(f *eligibility.DeclarationForm) { f.Insured = "friend" }, []string{"declared_insured: form"}},
		"a share of a quarter": {func(f *eligibility.DeclarationForm) { f.SharePercent = "25" }, []string{"declared_share_percent: form"}},
		"30 percent":           {func(f *eligibility.DeclarationForm) { f.SharePercent = "３０％" }, nil},
		"two lines":            {func(f *eligibility.DeclarationForm) { f.Employer = "a\nb" }, []string{"declared_employer: form"}},
		"not text":             {func(f *eligibility.DeclarationForm) { f.Employer = "a\xff" }, []string{"declared_employer: form"}},
		"several at once":      {func(f *eligibility.DeclarationForm) { f.BirthDate, f.Sex, f.SharePercent = "x", "x", "x" }, []string{"declared_birth_date: date", "declared_sex: form", "declared_share_percent: form"}},
	} {
		f := form()
		c.change(&f)
		_, err := f.Parse(today)
		if got := told(err); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func told(err error) []string {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var list []string
	for _, e := range joined.Unwrap() {
		list = append(list, e.Error())
	}
	return list
}

// places gives every text field of a form with the name that faults have for it.
func places(f *eligibility.DeclarationForm) map[string]*string {
	return map[string]*string{
		eligibility.FormNameKanji: &f.NameKanji, eligibility.FormNameKana: &f.NameKana, eligibility.FormBirthDate: &f.BirthDate,
		eligibility.FormSex: &f.Sex, eligibility.FormAddress: &f.Address, eligibility.FormPhone: &f.Phone,
		eligibility.FormInsuranceKind: &f.InsuranceKind, eligibility.FormInsurerName: &f.InsurerName,
		eligibility.FormEmployer: &f.Employer, eligibility.FormInsured: &f.Insured, eligibility.FormShare: &f.SharePercent,
	}
}

func TestAMyNumberIsRefusedInEveryField(t *testing.T) {
	for _, typed := range []string{"123456789018", "１２３４ ５６７８ ９０１８", "番号は1234-5678-9018です"} {
		for name := range places(&eligibility.DeclarationForm{}) {
			f := form()
			*places(&f)[name] = typed
			_, err := f.Parse(today)
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok || len(joined.Unwrap()) != 1 || fault.CodeOf(joined.Unwrap()[0]) != fault.MyNumberRefused || fault.PlaceOf(joined.Unwrap()[0]) != name {
				t.Errorf("%s: %v", name, err)
			}
			if strings.Contains(fmt.Sprint(err), "5678") {
				t.Errorf("%s: the fault repeats it", name)
			}
			f.Clear(name)
			if *places(&f)[name] != "" {
				t.Errorf("%s is not cleared", name)
			}
		}
	}
}

// FuzzDeclaration types anything into the form: it is refused by its fields without their
// values, or read into a declaration that can be typed again and holds no My Number.
func FuzzDeclaration(f *testing.F) {
	g := form()
	f.Add(g.NameKanji, g.NameKana, g.BirthDate, g.Sex, g.Address, g.Phone, g.InsuranceKind, g.Employer, g.SharePercent)
	f.Add("123456789018", "", "H1.1.8", "1", "", "090", "unknown", "", "10")
	f.Fuzz(func(t *testing.T, kanji, kana, birth, sex, address, phone, kind, employer, share string) {
		typed := eligibility.DeclarationForm{NameKanji: kanji, NameKana: kana, BirthDate: birth, Sex: sex, Address: address, Phone: phone, InsuranceKind: kind, Employer: employer, SharePercent: share}
		d, err := typed.Parse(today)
		if err != nil {
			for _, value := range places(&typed) {
				if len(*value) > 24 && strings.Contains(err.Error(), *value) {
					t.Fatal("the fault repeats what was typed")
				}
			}
			return
		}
		again, err := d.Form().Parse(today)
		if err != nil || again != d {
			t.Fatalf("it does not survive being typed again: %v", err)
		}
		for _, kept := range []string{d.NameKanji, d.NameKana, d.Address, d.Phone, d.Employer} {
			if jptext.HoldsMyNumber(kept) {
				t.Fatal("a My Number was kept")
			}
		}
	})
}
