package award_test

import (
	"testing"
	"testing/fstest"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/shared/benefit/rule"
)

// perHousehold is a benefit of one amount for a household, under the usual name.
var perHousehold = fstest.MapFS{
	once + "/program.toml": {Data: []byte(`
id = "` + once + `"
procedure = "opt_out"
basis = "要綱"
name = {ja = "手当", ja_easy = "てあて", en = "Grant"}
`)},
	once + "/parameters.toml": {Data: []byte(`
[[parameter]]
id = "each"
valid_from = "2026-01"
valid_to = "2026-12"
value = 30000
unit = "yen"
source = "要綱"
`)},
	once + "/edition-2026-01.toml": {Data: []byte(`
version = "2026-01"
valid_from = "2026-01"
valid_to = "2026-12"
amount = "amount"

[[rule]]
id = "each"
gives = "amount"
scope = "household"
type = "int"
unit = "yen"
article = "要綱"
parameter = "each"
value = "param.each"
text = {ja = "1世帯に{value}円です。", ja_easy = "{value}円です。", en = "{value} yen for a household."}

[payment]
once = "2026-02"
article = "要綱"
text = {ja = "{value}に支払われます。", ja_easy = "{value}に はらいます。", en = "Paid in {value}."}
`)},
}

// What a household is paid for as one is paid once, whichever parent a run would pay.
func TestAHouseholdIsPaidOnceWhoeverEarnsMore(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		engine, err := rule.Load(perHousehold)
		must(t, err)
		x := o.with(t, func(d *award.Deps) { d.Programs = engine })
		incomes := func(a, b string) map[string]string {
			return map[string]string{"income.csv": "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\n" +
				"F1a,990019,2024," + a + ",0,0,false\nF1b,990019,2024," + b + ",0,0,false\n" +
				"F1a,990019,2025," + a + ",0,0,false\nF1b,990019,2025," + b + ",0,0,false\n"}
		}
		x.settle(t, family("F1"), incomes("4000000", "3000000"))
		first := x.run(t, "1")
		a := x.only2(t, first.ID, award.Noticed, "F1a")
		if a.Amount != 30000 || len(a.Lines) != 1 || first.Result.Awards != 2 { // and the town's own family
			t.Fatalf("%d yen, %d lines, %+v", a.Amount, len(a.Lines), first.Result)
		}
		x.settle(t, nil, incomes("2000000", "3000000"))
		if again := x.run(t, "2"); again.Result.Awards != 0 || again.Counted.Awards != 0 || again.Result.Already != 2 {
			t.Errorf("counted %+v, did %+v", again.Counted, again.Result)
		}
		x.balanced(t)
	})
}
