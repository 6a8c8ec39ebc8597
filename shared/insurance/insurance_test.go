package insurance_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
)

func vectors(t *testing.T, name string) [][]string {
	t.Helper()
	root := os.Getenv("MADOGUCHI_VECTORS")
	for dir := "."; root == "" && len(dir) < 100; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			root = filepath.Join(dir, "..", "shared", "vectors")
		}
	}
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Skipf("0 cases ran: no shared vectors here (%s)", name)
	}
	all, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

func TestVectorsCheckDigits(t *testing.T) {
	cases := vectors(t, "insurance/checkdigit/insurance_numbers.csv")
	for _, c := range cases {
		var doubts []insurance.Doubt
		var err error
		switch {
		case strings.HasPrefix(c[0], "insurer"):
			_, doubts, err = insurance.ParseInsurerNumber(c[1])
		case c[0] == "public_expense8":
			_, doubts, err = insurance.ParsePublicExpenseNumber(c[1])
		case c[0] == "medical_institution10":
			_, doubts, err = insurance.ParseInstitutionCode(c[1])
		default:
			t.Fatalf("unknown kind %q", c[0])
		}
		valid := err == nil && !slices.Contains(doubts, insurance.DoubtCheckDigit)
		if want, _ := strconv.ParseBool(c[2]); valid != want {
			t.Errorf("%s %s: got %v (%v, %v)", c[0], c[1], valid, doubts, err)
		}
	}
	t.Logf("%d cases ran", len(cases))
}

func TestInsurerNumber(t *testing.T) {
	for _, c := range []struct {
		typed  string
		want   string
		doubts string
		code   fault.Code
	}{
		{"01130012", "01130012", "[]", ""},
		{" ０１-１３００１２ ", "01130012", "[]", ""},
		{"1130012", "01130012", "[leading_zero]", ""},
		{"012344", "012344", "[]", ""},
		{"00012344", "012344", "[]", ""},
		{"  012344", "012344", "[]", ""},
		{"12344", "012344", "[leading_zero]", ""},
		{"123456", "123456", "[check_digit]", ""},
		{"12345", "", "[]", fault.InvalidArgument},
		{"1234567", "", "[]", fault.InvalidArgument},
		{"123456789", "", "[]", fault.InvalidArgument},
		{"abc", "", "[]", fault.InvalidArgument},
		{"", "", "[]", fault.InvalidArgument},
		{"123456789018", "", "[]", fault.MyNumberRefused},
		{"１２３４ー５６７８−９０１８", "", "[]", fault.MyNumberRefused},
		{strings.Repeat("1", 300), "", "[]", fault.TooLarge},
	} {
		n, doubts, err := insurance.ParseInsurerNumber(c.typed)
		if string(n) != c.want || fmt.Sprint(doubts) != c.doubts || fault.CodeOf(err) != c.code {
			t.Errorf("%q: got %q %v %v", c.typed, string(n), doubts, err)
		}
		if err != nil && fault.PlaceOf(err) != "insurer_number" {
			t.Errorf("%q: the error does not name the place", c.typed)
		}
	}
}

func TestMember(t *testing.T) {
	if s, err := insurance.ParseSymbol("  建 国 － １２ "); err != nil || string(s) != "建国-12" {
		t.Errorf("got %q %v", string(s), err)
	}
	if n, err := insurance.ParseMemberNumber("１２ ３-４"); err != nil || string(n) != "1234" {
		t.Errorf("got %q %v", string(n), err)
	}
	if b, err := insurance.ParseBranch("５"); err != nil || string(b) != "05" {
		t.Errorf("got %q %v", string(b), err)
	}
	if b, err := insurance.ParseBranch(" "); err != nil || b != "" {
		t.Errorf("got %q %v", string(b), err)
	}
	for name, err := range map[string]error{
		"symbol":  second(insurance.ParseSymbol("1234 5678 9018")),
		"number":  second(insurance.ParseMemberNumber("123456789018")),
		"branch":  second(insurance.ParseBranch("123456789018")),
		"branch2": second(insurance.ParseBranch("１２３４５６７８９０１８")),
	} {
		if fault.CodeOf(err) != fault.MyNumberRefused {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.Contains(err.Error(), "9018") {
			t.Errorf("%s: the error repeats what was typed", name)
		}
	}
	for name, err := range map[string]error{
		"no number": second(insurance.ParseMemberNumber("")), "kanji number": second(insurance.ParseMemberNumber("一二")),
		"long symbol": second(insurance.ParseSymbol(strings.Repeat("あ", 21))), "long branch": second(insurance.ParseBranch("123")),
		"control": second(insurance.ParseSymbol("a\x00b")), "not text": second(insurance.ParseSymbol("\xff")),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestKindAndScheme(t *testing.T) {
	for n, want := range map[insurance.InsurerNumber]insurance.Kind{
		"012344": insurance.NationalHealth, "01130012": insurance.Kyokai, "33120015": insurance.MutualAid,
		"39131234": insurance.LateStage, "06110829": insurance.Society, "99131234": insurance.OtherKind, "": insurance.OtherKind,
	} {
		if n.Kind() != want {
			t.Errorf("%s: got %s", string(n), n.Kind())
		}
	}
	for _, c := range []struct {
		insurer insurance.InsurerNumber
		symbol  insurance.Symbol
		number  insurance.MemberNumber
		branch  insurance.Branch
		want    string
	}{
		{"39131234", "", "12345678", "", "[member_number]"},
		{"39131234", "12", "12345674", "01", "[symbol branch]"},
		{"39131234", "", "12345674", "", "[]"},
		{"01130012", "12345678", "1", "00", "[]"},
		{"01130012", "123", "1", "00", "[symbol]"},
		{"06130012", "あ", "1", "", "[symbol]"},
		{"012344", "あ", "1", "", "[]"},
	} {
		if got := fmt.Sprint(insurance.CheckMember(c.insurer, c.symbol, c.number, c.branch)); got != c.want {
			t.Errorf("%s %s: got %s, want %s", string(c.insurer), string(c.number), got, c.want)
		}
	}
}

func TestMasking(t *testing.T) {
	var out bytes.Buffer
	n, m := insurance.InsurerNumber("01130012"), insurance.MemberNumber("9876543")
	s, b, p, r := insurance.Symbol("建国12"), insurance.Branch("05"), insurance.PublicExpenseNumber("54016027"), insurance.RecipientNumber("1234566")
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "n", n, "m", m, "s", s, "b", b, "p", p, "r", r)
	fmt.Fprint(&out, n, m, s, b, p, r)
	fmt.Fprintf(&out, "%v %s %+v", n, m, s)
	for _, secret := range []string{"01130012", "9876543", "建国12", "54016027", "1234566", "\"05\""} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is in the output", secret)
		}
	}
	if n.String() != "***012" {
		t.Error(n.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add("01130012")
	f.Add("　０１２３４４")
	f.Add("1234-5678-9018")
	f.Fuzz(func(t *testing.T, typed string) {
		if n, _, err := insurance.ParseInsurerNumber(typed); err == nil {
			again, _, err := insurance.ParseInsurerNumber(string(n))
			if err != nil || again != n {
				t.Fatalf("the canonical value %q is read as %q: %v", string(n), string(again), err)
			}
		}
		if s, err := insurance.ParseSymbol(typed); err == nil {
			if again, err := insurance.ParseSymbol(string(s)); err != nil || again != s {
				t.Fatalf("symbol: %v", err)
			}
		}
		if m, err := insurance.ParseMemberNumber(typed); err == nil {
			if again, err := insurance.ParseMemberNumber(string(m)); err != nil || again != m {
				t.Fatalf("number: %v", err)
			}
		}
		_, _ = insurance.ParseBranch(typed)
		_, _, _ = insurance.ParseInstitutionCode(typed)
	})
}
