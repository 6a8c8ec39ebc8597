package rule

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/shared/benefit"
)

// expression draws one of a type over the facts of sums, deeper than rules are.
func expression(t *rapid.T, of benefit.Type, depth int) string {
	sub := func(of benefit.Type) string { return expression(t, of, depth-1) }
	pick := func(leaves []string, makers ...func() string) string {
		n := rapid.IntRange(0, len(leaves)-1+depth*len(makers)).Draw(t, "form")
		if n < len(leaves) {
			return leaves[n]
		}
		return makers[n%len(makers)]()
	}
	choice := func() string {
		return fmt.Sprintf("(%s ? %s : %s)", sub(benefit.TypeBool), sub(of), sub(of))
	}
	between := func(of benefit.Type, signs ...string) func() string {
		return func() string {
			return fmt.Sprintf("(%s %s %s)", sub(of), rapid.SampledFrom(signs).Draw(t, "sign"), sub(of))
		}
	}
	switch of {
	case benefit.TypeInt:
		return pick([]string{"a", "b", "month", "param.p", "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "4611686018427387904"},
			choice, between(of, "+", "-", "*"), between(of, "+", "-", "*"), between(of, "/", "%"),
			func() string { return "-(" + sub(of) + ")" }, func() string { return "size(" + sub(benefit.TypeText) + ")" })
	case benefit.TypeBool:
		return pick([]string{"p", "q", "true", "false"}, choice, between(of, "&&", "||"), between(of, "&&", "||"), between(of, "==", "!="),
			between(benefit.TypeInt, "<", "<=", ">", ">=", "==", "!="), between(benefit.TypeText, "==", "!=", "<"),
			func() string { return "!" + sub(of) }, func() string { return sub(benefit.TypeText) + ".startsWith('x')" })
	}
	return pick([]string{"s", "t", "''", "'x'", "'子'"}, choice, between(of, "+"))
}

// sums is a programme of three expressions.
func sums(number, truth, text string) fstest.MapFS {
	var edition strings.Builder
	edition.WriteString("version = \"1\"\nvalid_from = \"2025-04\"\namount = \"its_amount\"\n")
	for _, fact := range []string{"a int", "b int", "p bool", "q bool", "s text", "t text"} {
		name, of, _ := strings.Cut(fact, " ")
		fmt.Fprintf(&edition, "[[fact]]\nname = %q\nscope = \"household\"\ntype = %q\nlabel.ja = \"x\"\nlabel.ja_easy = \"x\"\nlabel.en = %q\n", name, of, name)
	}
	words := "article = \"1\"\ntext.ja = \"{value}\"\ntext.ja_easy = \"{value}\"\ntext.en = \"{value}\"\n"
	for _, r := range [][3]string{{"number", "int", number}, {"truth", "bool", truth}, {"text", "text", text}, {"amount", "int", "0"}} {
		fmt.Fprintf(&edition, "[[rule]]\nid = %q\ngives = \"its_%s\"\nscope = \"household\"\ntype = %q\nvalue = %q\n%s", r[0], r[0], r[1], r[2], words)
		if r[0] != "amount" {
			fmt.Fprintf(&edition, "[[output]]\nname = %q\nfrom = \"its_%s\"\n", "the_"+r[0], r[0])
		}
	}
	edition.WriteString("[payment]\nmonths = [3]\narticle = \"1\"\ntext.ja = \"x\"\ntext.ja_easy = \"x\"\ntext.en = \"x\"\n")
	program := "id = \"sums\"\nprocedure = \"opt_out\"\nbasis = \"x\"\nname.ja = \"x\"\nname.ja_easy = \"x\"\nname.en = \"x\"\n"
	parameters := "[[parameter]]\nid = \"p\"\nvalid_from = \"2025-04\"\nvalue = 7\nsource = \"x\"\n"
	return fstest.MapFS{
		"sums/program.toml":    {Data: []byte(program)},
		"sums/parameters.toml": {Data: []byte(parameters)},
		"sums/edition-1.toml":  {Data: []byte(edition.String())},
	}
}

func value(t *rapid.T, of benefit.Type) benefit.Value {
	if rapid.IntRange(0, 5).Draw(t, "known") == 0 {
		return benefit.Value{}
	}
	switch of {
	case benefit.TypeInt:
		return benefit.Int(rapid.SampledFrom([]int64{0, 1, -1, 202507, benefit.MaxAmount, -benefit.MaxAmount}).Draw(t, "int"))
	case benefit.TypeBool:
		return benefit.Bool(rapid.Bool().Draw(t, "bool"))
	}
	return benefit.Text(rapid.SampledFrom([]string{"", "x", "xy", "子"}).Draw(t, "text"))
}

// What is planned as Go functions gives what CEL's interpreter gives: values, missing facts
// and failures.
func TestPlansAgreeWithCEL(t *testing.T) {
	planned, failed, missing := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		number, truth, text := expression(t, benefit.TypeInt, 3), expression(t, benefit.TypeBool, 3), expression(t, benefit.TypeText, 2)
		fsys := sums(number, truth, text)
		fast, err := Load(fsys)
		if err != nil {
			if !strings.Contains(err.Error(), "may cost") && !strings.Contains(err.Error(), "undeclared") {
				t.Fatalf("%v\n%s\n%s\n%s", err, number, truth, text)
			}
			return
		}
		slow, err := Load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		for _, ed := range slow.programs["sums"].editions {
			for _, g := range ed.groups {
				for i := range g {
					if g[i].value.quick != nil {
						planned++
					}
					g[i].value.quick = nil
				}
			}
		}
		r := benefit.Request{Benefit: "sums", Month: benefit.Month{Year: 2025, Month: time.July}, Facts: map[string]benefit.Value{
			"a": value(t, benefit.TypeInt), "b": value(t, benefit.TypeInt), "p": value(t, benefit.TypeBool), "q": value(t, benefit.TypeBool),
			"s": value(t, benefit.TypeText), "t": value(t, benefit.TypeText)}}
		got, gotErr := fast.Evaluate(r)
		want, wantErr := slow.Evaluate(r)
		if !reflect.DeepEqual(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s\n%s\n%s\n%+v %v\nwant\n%+v %v", number, truth, text, got, gotErr, want, wantErr)
		}
		if wantErr != nil {
			failed++
		}
		if len(want.Unknown) > 0 {
			missing++
		}
	})
	t.Logf("%d expressions were planned, %d households failed, %d wait for a fact", planned, failed, missing)
}

// A text that a rule gives is bounded as those that are told are, or the cost of the rules
// after it would not be.
func TestATextThatGrowsFails(t *testing.T) {
	e, err := Load(sums("0", "true", "s + s"))
	if err != nil {
		t.Fatal(err)
	}
	long := map[string]benefit.Value{"s": benefit.Text(strings.Repeat("子", maxText/2+1))}
	if _, err := e.Evaluate(benefit.Request{Benefit: "sums", Month: benefit.Month{Year: 2025, Month: time.July}, Facts: long}); err == nil ||
		!strings.Contains(err.Error(), "gives a text that is too long") {
		t.Error(err)
	}
}
