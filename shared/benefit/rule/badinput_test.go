package rule_test

import (
	"errors"
	"strings"
	"testing"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/fault"
)

// The message of each fault that a programme may bring, whole. Nothing is loaded beside it.
func TestBadProgrammes(t *testing.T) {
	for _, c := range []struct{ name, file, old, new, want string }{
		{"rows overlap", "parameters.toml", `"2026-04"`, `"2026-03"`,
			"lunch/parameters.toml:9: parameter monthly overlaps the one at lunch/parameters.toml:1: that is valid to 2026-03, this from 2026-03"},
		{"two open rows", "parameters.toml", "valid_to = \"2026-03\"\n", "",
			"lunch/parameters.toml:8: parameter monthly overlaps the one at lunch/parameters.toml:1: that is valid to an open end, this from 2026-04"},
		{"rows leave a gap", "parameters.toml", `"2026-04"`, `"2026-06"`,
			"lunch/parameters.toml:9: parameter monthly leaves a gap after the one at lunch/parameters.toml:1: 2026-04 to 2026-05"},
		{"rows begin after the edition", "parameters.toml", `"2025-04"`, `"2025-05"`,
			"lunch/edition-1.toml:13: the rows of parameter monthly leave a gap in the edition from 2025-04"},
		{"rows end before the edition", "parameters.toml", `valid_from = "2026-04"`, "valid_from = \"2026-04\"\nvalid_to = \"2030-03\"",
			"lunch/edition-1.toml:13: the rows of parameter monthly leave a gap in the edition from 2025-04"},
		{"half a yen", "parameters.toml", "4500", "4500.5", "lunch/parameters.toml:5: parameter[0].value must be a whole number"},
		{"amount in quotes", "parameters.toml", "4800", `"4800"`, "lunch/parameters.toml:12: parameter[1].value must be a whole number"},
		{"amount that is too large", "parameters.toml", "4800", "1000000000001", "lunch/parameters.toml:12: the value is too large"},
		{"number that no int64 holds", "parameters.toml", "4800", "9223372036854775808",
			"lunch/parameters.toml:12: 9223372036854775808 is out of range for int64"},
		{"unknown key of a row", "parameters.toml", "value = 4800", "value = 4800\ncurrency = \"yen\"",
			"lunch/parameters.toml:13: there is no key parameter[1].currency"},
		{"key of another table", "edition-1.toml", "label.ja =", "value = \"1\"\nlabel.ja =", "lunch/edition-1.toml:9: there is no key fact[0].value"},
		{"key in capitals", "program.toml", "basis =", "Basis =", "lunch/program.toml:3: there is no key Basis"},
		{"fourth language", "program.toml", "name.en =", "name.fr = \"x\"\nname.en =", "lunch/program.toml:6: there is no key name.fr"},
		{"key twice", "program.toml", "basis =", "procedure = \"opt_out\"\nbasis =", "lunch/program.toml:3: Key 'procedure' has already been defined."},
		{"fact that is computed", "edition-1.toml", `name = "school"`, `name = "fiscal_age"`,
			"lunch/edition-1.toml:6: fact fiscal_age has the name of a fact that is computed"},
		{"rule that gives what is computed", "edition-1.toml", "[[rule]]\nid = \"at", "[[rule]]\nid = \"one\"\ngives = \"months_old\"\nscope = \"child\"\n" +
			"type = \"int\"\narticle = \"1\"\nvalue = \"1\"\ntext.ja = \"x\"\ntext.ja_easy = \"x\"\ntext.en = \"x\"\n\n[[rule]]\nid = \"at",
			"lunch/edition-1.toml:13: months_old is the name of something else, or its rules do not stand together"},
		{"id of a step that no rule writes", "edition-1.toml", `id = "at_primary_school"`, `id = "rank"`,
			"lunch/edition-1.toml:14: a rule needs an id of its own, and the name of what it gives"},
		{"text against a number", "edition-1.toml", "school == 'primary'", "school == 1",
			"lunch/edition-1.toml:20: expression, column 8: found no matching overload for '_==_' applied to '(string, int)'"},
		{"number against a text", "edition-1.toml", "fiscal_age >= 7", "fiscal_age >= school",
			"lunch/edition-1.toml:20: expression, column 35: found no matching overload for '_>=_' applied to '(int, string)'"},
		{"number with a point in a condition", "edition-1.toml", "fiscal_age >= 7", "fiscal_age >= 7.5",
			"lunch/edition-1.toml:20: expression, column 35: found no matching overload for '_>=_' applied to '(int, double)'"},
		{"number with a point in an amount", "edition-1.toml", `value = "0"`, `value = "int(0.5)"`,
			"lunch/edition-1.toml:33: the expression holds a floating-point number; amounts are whole yen"},
		{"amount with a point", "edition-1.toml", `value = "0"`, `value = "0.5"`,
			"lunch/edition-1.toml:33: the expression is of type double and must be int"},
		{"unknown fact", "edition-1.toml", "fiscal_age >= 7", "fiscal_aeg >= 7",
			"lunch/edition-1.toml:20: expression, column 24: undeclared reference to 'fiscal_aeg' (did you mean 'fiscal_age'?)"},
		{"costs too much", "edition-1.toml", `value = "0"`, `value = "` + strings.Repeat("month>1&&", 100) + `true ? 1 : 0"`,
			"lunch/edition-1.toml:33: the expression may cost 200 and the limit is 100"},
		{"texts cost too much", "edition-1.toml", "school == 'primary'", strings.Repeat("school.contains(school) && ", 3) + "true",
			"lunch/edition-1.toml:20: the expression may cost 310 and the limit is 100"},
		{"days without end", "program.toml", "name.en = \"School lunch support\"", "name.en = \"x\"\n[[deadline]]\nid = \"x\"\nafter = \"y\"\ndays = 1000000\n" +
			"text.ja = \"x\"\ntext.ja_easy = \"x\"\ntext.en = \"x\"",
			"lunch/program.toml:7: a deadline needs an id, either on or after, days and months that are not many, and its text in ja, ja_easy and en"},
		{"deadline that is one table", "program.toml", "name.en = \"School lunch support\"", "name.en = \"x\"\n[deadline]\nid = \"x\"",
			"lunch/program.toml:7: deadline must be tables, each under [[deadline]]"},
		{"paying months in words", "edition-1.toml", "months = [3]", "months = [\"March\"]",
			"lunch/edition-1.toml:39: payment.months must be a list of whole numbers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := rule.Load(with(t, c.file, c.old, c.new))
			if err == nil || e != nil {
				t.Fatal("it was taken")
			}
			if err.Error() != c.want {
				t.Errorf("%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// All faults of all files are told at once, in the order of files and lines.
func TestAllFaultsAtOnce(t *testing.T) {
	fsys := with(t, "parameters.toml", "value = 4500", "value = \"4500\"\ncurrency = \"yen\"")
	second := fsys["lunch/parameters.toml"]
	second.Data = []byte(strings.Replace(string(second.Data), "4800", "4800.5", 1))
	fsys["lunch/program.toml"].Data = []byte(strings.Replace(lunch["lunch/program.toml"], "opt_out", "silence", 1))
	want := "lunch/parameters.toml:5: parameter[0].value must be a whole number\n" +
		"lunch/parameters.toml:6: there is no key parameter[0].currency\n" +
		"lunch/parameters.toml:13: parameter[1].value must be a whole number\n" +
		"lunch/program.toml:2: the procedure is neither application nor opt_out"
	if _, err := rule.Load(fsys); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// The message of each request that cannot be right, whole: it names the place and never
// what somebody typed.
func TestBadRequests(t *testing.T) {
	e := shipped(t)
	facts := func(name string, v benefit.Value) map[string]benefit.Value { return map[string]benefit.Value{name: v} }
	for _, c := range []struct {
		name, want string
		r          benefit.Request
	}{
		{"born tomorrow", "children[1].birth: the child is born after the day of asking",
			benefit.Request{Month: month(t, "2025-07"), AskedOn: day(t, "2025-07-01"), Children: children(t, "2020-01-01", "2025-07-02")}},
		{"born next month", "children[0].birth: the child is born after the month asked for",
			benefit.Request{Month: month(t, "2025-07"), Children: children(t, "2025-08-01")}},
		{"income in words", "income: must be of type int", benefit.Request{Month: month(t, "2023-05"), Facts: facts("income", benefit.Text("many"))}},
		{"income that is too large", "income: is too large", benefit.Request{Month: month(t, "2023-05"), Facts: facts("income", benefit.Int(1<<60))}},
		{"confirmation as a number", "children[0].cost_confirmed: must be of type bool", benefit.Request{Month: month(t, "2025-05"),
			Children: []benefit.Child{{Birth: day(t, "2005-01-01"), Facts: facts("cost_confirmed", benefit.Int(1))}}}},
		{"too many children", "children: there are more than 100 children",
			benefit.Request{Month: month(t, "2023-05"), Children: make([]benefit.Child, benefit.MaxChildren+1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Benefit = "child_allowance"
			d, err := e.Evaluate(c.r)
			told, ok := errors.AsType[*fault.Error](err)
			if !ok || told.Place+": "+told.Message != c.want || d.Steps != nil || d.Amount.Known() {
				t.Errorf("%v: %v, want %s", d, err, c.want)
			}
		})
	}
}

// Twins have one after the other's place, in the order in which they were given, also as
// the eldest and as the youngest.
func TestTwinsKeepTheirPlaces(t *testing.T) {
	e := shipped(t)
	for _, c := range []struct {
		births []string
		ranks  []int64
	}{
		{[]string{"2020-05-05", "2020-05-05"}, []int64{1, 2}},
		{[]string{"2024-05-05", "2020-01-01", "2024-05-05"}, []int64{2, 1, 3}},
		{[]string{"2018-02-28", "2024-05-05", "2018-02-28", "2024-05-05"}, []int64{1, 3, 2, 4}},
	} {
		for range 20 {
			d, err := e.Evaluate(benefit.Request{Benefit: "child_allowance", Month: month(t, "2025-07"), Children: children(t, c.births...)})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range d.Steps {
				if s.Rule == "rank" && s.Result.Int() != c.ranks[s.Inputs.Get("child").Int()-1] {
					t.Fatalf("%v: child %d has place %d", c.births, s.Inputs.Get("child").Int(), s.Result.Int())
				}
			}
		}
	}
}

// The month of the entitlement picks the rules, to the month.
func TestMonthsOfTheReforms(t *testing.T) {
	e := shipped(t)
	facts := map[string]benefit.Value{"income": benefit.Int(8_580_000), "dependants": benefit.Int(0)}
	three := children(t, "2008-05-05", "2015-05-05", "2020-05-05")
	for _, c := range []struct {
		month, version string
		want           int64
	}{
		{"2012-06", "2012-06", 5000},
		{"2022-09", "2012-06", 15000},
		{"2022-10", "2022-10", 0},
		{"2024-09", "2022-10", 0},
		{"2024-10", "2024-10", 50000},
	} {
		r := benefit.Request{Benefit: "child_allowance", Month: month(t, c.month), Facts: facts, Children: three}
		if c.month == "2012-06" {
			r.Children = three[:1]
		}
		if d, err := e.Evaluate(r); err != nil || d.Amount != benefit.Int(c.want) || d.Version != c.version {
			t.Errorf("%s: %v by %s, %v, want %d by %s", c.month, d.Amount, d.Version, err, c.want, c.version)
		}
	}
	if _, err := e.Evaluate(benefit.Request{Benefit: "child_allowance", Month: month(t, "2012-05")}); err == nil {
		t.Error("a month before the first edition was answered")
	}
}
