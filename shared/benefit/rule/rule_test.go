package rule_test

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// lunch is a programme that nobody wrote Go for.
var lunch = map[string]string{
	"lunch/program.toml": `id = "lunch"
procedure = "opt_out"
basis = "みなと市学校給食費補助要綱"
name.ja = "給食費補助"
name.ja_easy = "きゅうしょくの お金"
name.en = "School lunch support"
`,
	"lunch/parameters.toml": `[[parameter]]
id = "monthly"
valid_from = "2025-04"
valid_to = "2026-03"
value = 4500
unit = "yen"
source = "要綱別表（令和7年度）"

[[parameter]]
id = "monthly"
valid_from = "2026-04"
value = 4800
unit = "yen"
source = "要綱別表（令和8年度）"
`,
	"lunch/edition-1.toml": `version = "1"
valid_from = "2025-04"
amount = "amount"

[[fact]]
name = "school"
scope = "child"
type = "text"
label.ja = "学校の種類"
label.ja_easy = "学校"
label.en = "the kind of school"

[[rule]]
id = "at_primary_school"
gives = "amount"
scope = "child"
type = "int"
unit = "yen"
article = "要綱第3条"
when = "school == 'primary' && fiscal_age >= 7 && fiscal_age <= 12"
value = "param.monthly"
text.ja = "{birth}生まれの子の給食費{value}円を補助します。"
text.ja_easy = "{birth}に うまれた 子どもの きゅうしょくに {value}円 だします。"
text.en = "{value} yen towards the lunches of the child born on {birth}."

[[rule]]
id = "not_at_primary_school"
gives = "amount"
scope = "child"
type = "int"
unit = "yen"
article = "要綱第3条"
value = "0"
text.ja = "対象になりません。"
text.ja_easy = "お金は ありません。"
text.en = "Nothing."

[payment]
months = [3]
article = "要綱第6条"
text.ja = "{month}分は{value}に支払われます。"
text.ja_easy = "{value}に もらえます。"
text.en = "Paid in {value}."
`,
}

// with gives lunch with one text replaced in one file.
func with(t testing.TB, file, old, new string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range lunch {
		if name == "lunch/"+file {
			if !strings.Contains(text, old) {
				t.Fatalf("%s does not hold %q", file, old)
			}
			text = strings.Replace(text, old, new, 1)
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func day(t testing.TB, s string) civil.Date {
	t.Helper()
	d, err := civil.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func month(t testing.TB, s string) benefit.Month {
	t.Helper()
	m, err := benefit.ParseMonth(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shipped(t testing.TB) *rule.Engine {
	t.Helper()
	e, err := rule.Load(programs.FS)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func children(t testing.TB, births ...string) (out []benefit.Child) {
	for _, b := range births {
		out = append(out, benefit.Child{Birth: day(t, b)})
	}
	return out
}

func TestAThirdProgrammeIsADirectory(t *testing.T) {
	fsys := with(t, "program.toml", "", "")
	for _, dir := range []string{"child_allowance", "oneoff_kosodate_ouen_2025"} {
		if err := fs.WalkDir(programs.FS, dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(programs.FS, path)
			fsys[path] = &fstest.MapFile{Data: b}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := rule.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Programs(); !slices.Equal(got, []string{"child_allowance", "lunch", "oneoff_kosodate_ouen_2025"}) {
		t.Fatal(got)
	}
	kids := children(t, "2016-05-05", "2012-01-01")
	kids[0].Facts = map[string]benefit.Value{"school": benefit.Text("primary")}
	kids[1].Facts = kids[0].Facts
	for m, want := range map[string]int64{"2026-03": 4500, "2026-04": 4800} {
		d, err := e.Evaluate(benefit.Request{Benefit: "lunch", Month: month(t, m), Children: kids})
		if err != nil || d.Amount != benefit.Int(want) || len(d.Steps) != 2 {
			t.Fatalf("%s: %+v, %v", m, d, err)
		}
		if p := d.Steps[0].Parameters[0]; p.Source == "" || p.ID != "monthly" {
			t.Errorf("%+v", p)
		}
		if got := d.Steps[0].Text.EN; !strings.Contains(got, "born on 5 May 2016") {
			t.Error(got)
		}
	}
	if _, err := e.Evaluate(benefit.Request{Benefit: "lunch", Month: month(t, "2025-03")}); !errors.Is(err, benefit.ErrNoEdition) {
		t.Error(err)
	}
}

func TestOtherFaultsAreToldWithFileAndLine(t *testing.T) {
	for _, c := range []struct{ name, file, old, new, at, says string }{
		{"ends before it begins", "parameters.toml", `"2026-03"`, `"2024-03"`, "lunch/parameters.toml:4:", "ends before"},
		{"no source", "parameters.toml", `source = "要綱別表（令和7年度）"`, "", "lunch/parameters.toml:1:", "no source"},
		{"no value", "parameters.toml", "value = 4500\n", "", "lunch/parameters.toml:1:", "no value"},
		{"no such month", "parameters.toml", `"2026-04"`, `"2026-13"`, "lunch/parameters.toml:11:", "not a month"},
		{"no TOML", "parameters.toml", "value = 4500", "value = ", "lunch/parameters.toml:5:", ""},
		{"syntax error", "edition-1.toml", "fiscal_age >= 7", "fiscal_age >=", "lunch/edition-1.toml:20:", "column"},
		{"unknown parameter", "edition-1.toml", `"param.monthly"`, `"param.weekly"`, "lunch/edition-1.toml:21:", "undeclared reference"},
		{"condition that is no condition", "edition-1.toml", "fiscal_age >= 7 && fiscal_age <= 12", "true ? 1 : 2", "lunch/edition-1.toml:20:", ""},
		{"amount that is a text", "edition-1.toml", `value = "0"`, `value = "'0'"`, "lunch/edition-1.toml:33:", "type string"},
		{"no loops", "edition-1.toml", `value = "0"`, `value = "[1, 2].all(x, x > 0) ? 1 : 0"`, "lunch/edition-1.toml:33:", "undeclared reference"},
		{"too long", "edition-1.toml", `value = "0"`, `value = "` + strings.Repeat(" ", 2000) + `1"`, "lunch/edition-1.toml:33:", "size exceeds limit"},
		{"used before it is given", "edition-1.toml", `value = "0"`, `value = "amount"`, "lunch/edition-1.toml:33:", "no value yet"},
		{"rank without a birth order", "edition-1.toml", `value = "0"`, `value = "rank"`, "lunch/edition-1.toml:33:", "no value yet"},
		{"text that names nothing", "edition-1.toml", "text.en = \"Nothing.\"", "text.en = \"{nothing}\"", "lunch/edition-1.toml:26:", "there is no nothing"},
		{"language that is missing", "edition-1.toml", "text.ja_easy = \"お金は ありません。\"\n", "", "lunch/edition-1.toml:26:", "ja_easy"},
		{"no rule that always holds", "edition-1.toml", `value = "0"`, "value = \"0\"\nwhen = \"true\"", "lunch/edition-1.toml:26:", "holds always"},
		{"no payment", "edition-1.toml", "months = [3]", "", "lunch/edition-1.toml:38:", "payment"},
		{"paying month", "edition-1.toml", "months = [3]", "months = [13]", "lunch/edition-1.toml:39:", "1 to 12"},
		{"other id", "program.toml", `id = "lunch"`, `id = "dinner"`, "lunch/program.toml:1:", "directory"},
		{"no procedure", "program.toml", "opt_out", "silence", "lunch/program.toml:2:", "procedure"},
		{"several lines", "program.toml", `"みなと市学校給食費補助要綱"`, `"""みなと市"""`, "lunch/program.toml:3:", "several lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rule.Load(with(t, c.file, c.old, c.new))
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.at) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\nwant %q %q", err, c.at, c.says)
			}
		})
	}
}

func TestEditionsNeitherOverlapNorLeaveAGap(t *testing.T) {
	for from, says := range map[string]string{"2026-03": "overlaps", "2026-06": "gap"} {
		fsys := with(t, "edition-1.toml", "valid_from = \"2025-04\"", "valid_from = \"2025-04\"\nvalid_to = \"2026-04\"")
		second := strings.Replace(lunch["lunch/edition-1.toml"], "2025-04", from, 1)
		fsys["lunch/edition-2.toml"] = &fstest.MapFile{Data: []byte(second)}
		if _, err := rule.Load(fsys); err == nil || !strings.Contains(err.Error(), "lunch/edition-2.toml:2: the edition") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

func TestAMissingFactIsNoRefusal(t *testing.T) {
	e := shipped(t)
	before, after := month(t, "2023-05"), month(t, "2025-07")
	income := map[string]benefit.Value{"dependants": benefit.Int(1)}
	asked := children(t, "2004-05-05", "2012-05-05", "2015-05-05")
	asked[0].Facts = map[string]benefit.Value{"cost_confirmed": {}}
	for _, c := range []struct {
		name string
		r    benefit.Request
		want []string
	}{
		{"income", benefit.Request{Benefit: "child_allowance", Month: before, Facts: income, Children: children(t, "2020-05-05")}, []string{"income"}},
		{"income and dependants", benefit.Request{Benefit: "child_allowance", Month: before, Children: children(t, "2020-05-05")}, []string{"dependants", "income"}},
		{"dependants that decide nothing", benefit.Request{Benefit: "child_allowance", Month: before,
			Facts: map[string]benefit.Value{"income": benefit.Int(6_219_999)}, Children: children(t, "2020-05-05")}, nil},
		{"income of a family whose child is grown", benefit.Request{Benefit: "child_allowance", Month: before, Children: children(t, "2000-05-05")}, nil},
		{"birth", benefit.Request{Benefit: "child_allowance", Month: after, Children: []benefit.Child{{}}}, []string{"children[0].birth"}},
		{"rank of the younger", benefit.Request{Benefit: "child_allowance", Month: after, Children: asked}, []string{"children[0].cost_confirmed"}},
		{"output", benefit.Request{Benefit: "oneoff_kosodate_ouen_2025", Month: month(t, "2026-02"), Children: children(t, "2020-05-05")}, []string{"paid_by_workplace"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := e.Evaluate(c.r)
			if err != nil || !slices.Equal(d.Unknown, c.want) {
				t.Fatalf("%v, %v, want %v", d.Unknown, err, c.want)
			}
			told := false
			for _, s := range d.Steps {
				told = told || strings.HasPrefix(s.Text.JA, "まだ判断できません") && strings.HasPrefix(s.Text.EN, "Cannot tell yet. Needed: ") && !s.Result.Known()
			}
			if len(c.want) > 0 && !told {
				t.Error("no step says what is needed")
			}
		})
	}
}

func TestQuestionsThatHaveNoAnswer(t *testing.T) {
	e := shipped(t)
	if _, err := e.Evaluate(benefit.Request{Benefit: "dinner", Month: month(t, "2025-07")}); !errors.Is(err, benefit.ErrNoProgram) {
		t.Error(err)
	}
	if _, err := e.StartsIn("child_allowance", month(t, "2025-06"), day(t, "2025-06-02"), day(t, "2025-06-01")); fault.PlaceOf(err) != "application" {
		t.Error(err)
	}
	d, err := e.Decide(benefit.Request{Benefit: "child_allowance", Month: month(t, "2025-07"), Children: children(t, "2020-01-01")})
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(d *benefit.Decision){
		func(d *benefit.Decision) { d.Benefit = "dinner" },
		func(d *benefit.Decision) { d.Month = month(t, "2012-05") },
		func(d *benefit.Decision) { d.Version = "2023-10" },
		func(d *benefit.Decision) { d.Steps = []benefit.Step{{Rule: "nothing"}} },
	} {
		other := d
		spoil(&other)
		if err := e.Explain(&other); !errors.Is(err, benefit.ErrNoEdition) && !errors.Is(err, benefit.ErrNoProgram) {
			t.Errorf("%+v: %v", other, err)
		}
	}
}

func TestBoundaries(t *testing.T) {
	e := shipped(t)
	low := map[string]benefit.Value{"income": benefit.Int(0), "dependants": benefit.Int(1)}
	for _, c := range []struct {
		name, month string
		births      []string
		want        int64
	}{
		{"month before the reform", "2024-09", []string{"2008-05-05"}, 0},
		{"month of the reform", "2024-10", []string{"2008-05-05"}, 10000},
		{"leap day, last month under three", "2027-02", []string{"2024-02-29"}, 15000},
		{"leap day, three", "2027-03", []string{"2024-02-29"}, 10000},
		{"leap day, attains 18 on 28 February", "2026-03", []string{"2008-02-29"}, 10000},
		{"leap day, ended", "2026-04", []string{"2008-02-29"}, 0},
		{"born on the 1st, its month", "2025-06", []string{"2025-06-01"}, 0},
		{"born on the 1st, the next month", "2025-07", []string{"2025-06-01"}, 15000},
		{"born on the 1st, third birthday", "2028-06", []string{"2025-06-01"}, 15000},
		{"born on the 1st, month after", "2028-07", []string{"2025-06-01"}, 10000},
		{"twins as second and third", "2025-07", []string{"2024-05-05", "2020-01-01", "2024-05-05"}, 10000 + 15000 + 30000},
		{"twins as third and fourth", "2025-07", []string{"2024-05-05", "2024-05-05", "2020-01-01", "2018-01-01"}, 80000},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := e.Evaluate(benefit.Request{Benefit: "child_allowance", Month: month(t, c.month), Facts: low, Children: children(t, c.births...)})
			if err != nil || d.Amount != benefit.Int(c.want) {
				t.Errorf("%v %v, want %d", d.Amount, err, c.want)
			}
		})
	}
}

// An engine is used by goroutines at once, and what one decision holds is not changed by
// the next.
func TestTheSameRequestGivesTheSameDecisionAtOnce(t *testing.T) {
	e, all := shipped(t), town(t)
	want := make([]benefit.Decision, len(all))
	for i, r := range all {
		var err error
		if want[i], err = e.Evaluate(r); err != nil {
			t.Fatal(err)
		}
	}
	var work sync.WaitGroup
	for part := range 4 {
		work.Go(func() {
			for i := range all {
				i = (i + part*len(all)/4) % len(all)
				if d, err := e.Evaluate(all[i]); err != nil || !reflect.DeepEqual(d, want[i]) {
					t.Errorf("household %d: %v, %v", i, d, err)
				}
			}
		})
	}
	work.Wait()
	for i := range all {
		if !reflect.DeepEqual(want[i], byHand(&all[i], true)) {
			t.Fatalf("the decision on household %d changed", i)
		}
	}
}

// What was known of one household is not known of the next.
func TestNothingIsLeftOfTheHouseholdBefore(t *testing.T) {
	e := shipped(t)
	known := benefit.Request{Benefit: "child_allowance", Month: month(t, "2023-07"), Children: children(t, "2016-05-05", "2020-01-01", "2021-02-02"),
		Facts: map[string]benefit.Value{"income": benefit.Int(1), "dependants": benefit.Int(1)}}
	missing := benefit.Request{Benefit: "child_allowance", Month: known.Month, Children: make([]benefit.Child, 3)}
	for range 20 {
		if _, err := e.Evaluate(known); err != nil {
			t.Fatal(err)
		}
		d, err := e.Evaluate(missing)
		if err != nil || d.Amount.Known() || len(d.Unknown) != 3 {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, s := range d.Steps {
			if s.Result.Known() || slices.ContainsFunc(s.Inputs, func(in benefit.Input) bool {
				return in.Value.Known() && in.Name != "child" && in.Name != "income_year" && !strings.HasPrefix(in.Name, "param.")
			}) {
				t.Fatalf("%+v", s)
			}
		}
	}
}

func TestAFolderWithoutProgrammes(t *testing.T) {
	if _, err := rule.Load(fstest.MapFS{}); err == nil {
		t.Error("it was taken")
	}
	if _, err := rule.Load(fstest.MapFS{"lunch/notes.toml": &fstest.MapFile{}}); err == nil || !strings.Contains(err.Error(), "lunch/program.toml: is missing") {
		t.Error(err)
	}
}

// A rule whose sum cannot be held fails; it never wraps around to a small amount.
func TestAnAmountThatCannotBeHeldFails(t *testing.T) {
	e, err := rule.Load(with(t, "edition-1.toml", `"param.monthly"`, `"param.monthly * 9223372036854775807"`))
	if err != nil {
		t.Fatal(err)
	}
	kids := children(t, "2016-05-05")
	kids[0].Facts = map[string]benefit.Value{"school": benefit.Text("primary")}
	if d, err := e.Evaluate(benefit.Request{Benefit: "lunch", Month: month(t, "2026-01"), Children: kids}); err == nil || !strings.Contains(err.Error(), "lunch/edition-1.toml:13") {
		t.Error(d, err)
	}
}

func BenchmarkChildAllowance(b *testing.B) {
	e := shipped(b)
	r := benefit.Request{Benefit: "child_allowance", Month: month(b, "2025-07"), Children: children(b, "2016-05-05", "2020-01-01", "2024-05-05")}
	for b.Loop() {
		if d, err := e.Evaluate(r); err != nil || len(d.Steps) == 0 {
			b.Fatal(err)
		}
	}
}
