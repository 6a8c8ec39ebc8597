package insurance_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
)

func TestOneValueTwoWriters(t *testing.T) {
	for n, want := range map[insurance.InsurerNumber][2]string{
		"012344": {"  012344", "00012344"}, "123456": {"  123456", "00123456"}, "01130012": {"01130012", "01130012"},
	} {
		if got := [2]string{n.OQS(), n.FHIR()}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, form := range want {
			if back, _, err := insurance.ParseInsurerNumber(form); err != nil || back != n {
				t.Errorf("%q is read as %q: %v", form, string(back), err)
			}
		}
	}
}

func TestMemberID(t *testing.T) {
	const published = "00012345:あいう:１８７:05" // JP Core's example
	m, doubts, err := insurance.ParseMemberID(published)
	if err != nil || string(m.Insurer) != "012345" || string(m.Symbol) != "あいう" || string(m.Number) != "187" || string(m.Branch) != "05" ||
		fmt.Sprint(doubts) != "[check_digit]" {
		t.Fatalf("%#v %v %v", m, doubts, err)
	}
	if back, err := m.FHIR(); err != nil || back != published {
		t.Errorf("got %s %v", back, err)
	}
	for id, back := range map[string]string{
		"01130012:1234567:89:":   "01130012:1234567:89:",
		"39131234::12345674:":    "39131234::12345674:",
		"01130012:１２３４５６７:８９:00": "01130012:1234567:89:00", // all half-width is the other form
		"06130012:建－12:9:":       "06130012:建－１２:９:",
	} {
		m, _, err := insurance.ParseMemberID(id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if got, err := m.FHIR(); err != nil || got != back {
			t.Errorf("%s: got %s %v", id, got, err)
		}
	}
	for _, id := range []string{
		"", "12345:a:1:", "00012345:あ い:1:05", "00012345:あ　い:1:05", "00012345:a:1:5", "00012345:a:1", "00012345:a:b:1:05", "00012345:a:一:05",
		"00012345:" + strings.Repeat("あ", 200) + ":1:", "00012345:a:1:05\n",
	} {
		if m, _, err := insurance.ParseMemberID(id); err == nil || m != (insurance.MemberID{}) {
			t.Errorf("%q is read: %v", id, err)
		}
	}
	if _, _, err := insurance.ParseMemberID("00012345:a:123456789018:"); fault.CodeOf(err) != fault.MyNumberRefused {
		t.Errorf("got %v", err)
	}
	for _, symbol := range []insurance.Symbol{"a:b", "a b"} {
		if got, err := (insurance.MemberID{Insurer: "012345", Symbol: symbol, Number: "1"}).FHIR(); err == nil {
			t.Errorf("got %s", got)
		}
	}
	if s := fmt.Sprintf("%v %+v %s", m, m, m.LogValue()); strings.Contains(s, "あいう") || strings.Contains(s, "187") {
		t.Errorf("got %s", s)
	}
}

func TestPublicExpenseID(t *testing.T) {
	p, doubts, err := insurance.ParsePublicExpenseID("54016027::1234566:")
	if err != nil || string(p.Payer) != "54016027" || string(p.Recipient) != "1234566" || len(doubts) > 0 || p.FHIR() != "54016027::1234566:" {
		t.Errorf("%v %v %s", doubts, err, p.FHIR())
	}
	for _, id := range []string{"", "54016027:1234566", "5401602::1234566:", "54016027::123456:", "54016027::1234566:1", strings.Repeat("1", 300)} {
		if _, _, err := insurance.ParsePublicExpenseID(id); err == nil {
			t.Errorf("%q is read", id)
		}
	}
	if s := fmt.Sprintf("%v %+v %s", p, p, p.LogValue()); strings.Contains(s, "5401") {
		t.Errorf("got %s", s)
	}
}

func TestInstitutionCode(t *testing.T) {
	for code, want := range map[string]insurance.PointTable{
		"0110113719": insurance.Medical, "1331234567": insurance.Dental, "1341234567": insurance.Pharmacy,
		"1361234567": insurance.HomeNurse, "1391234567": insurance.OtherTable,
	} {
		c, doubts, err := insurance.ParseInstitutionCode(code)
		if err != nil || c.PointTable() != want {
			t.Errorf("%s: %s %v", code, c.PointTable(), err)
		}
		if told := strings.Contains(fmt.Sprint(doubts), string(insurance.DoubtPointTable)); told != (want == insurance.OtherTable) {
			t.Errorf("%s: doubts %v", code, doubts)
		}
	}
	if insurance.InstitutionCode("011").PointTable() != insurance.OtherTable {
		t.Error("a part of a code has a table")
	}
}

func TestLateStageNumber(t *testing.T) {
	for typed, want := range map[string]string{"１２３４５６７４": "[]", "12345678": "[check_digit]"} {
		if n, doubts, err := insurance.ParseLateStageNumber(typed); err != nil || len(n) != 8 || fmt.Sprint(doubts) != want {
			t.Errorf("%s: %v %v", typed, doubts, err)
		}
	}
	for _, typed := range []string{"", "1234567", "123456789", "1234567a"} {
		if _, _, err := insurance.ParseLateStageNumber(typed); fault.PlaceOf(err) != "number" {
			t.Errorf("%s: %v", typed, err)
		}
	}
}

func FuzzParseMemberID(f *testing.F) {
	f.Add("00012345:あいう:１８７:05")
	f.Add("54016027::1234566:")
	form := regexp.MustCompile(`^[0-9]{8}:[^:\s　]*:[^:\s　]*:(|[0-9]{2})$`)
	f.Fuzz(func(t *testing.T, s string) {
		_, _, _ = insurance.ParsePublicExpenseID(s)
		m, _, err := insurance.ParseMemberID(s)
		if err != nil {
			return
		}
		written, err := m.FHIR()
		if err != nil {
			return // folding brought a colon or a blank to light
		}
		if !form.MatchString(written) {
			t.Fatalf("%q is written as %q", s, written)
		}
		if again, _, err := insurance.ParseMemberID(written); err != nil || again != m {
			t.Fatalf("%q is written as %q and read otherwise: %v", s, written, err)
		}
	})
}
