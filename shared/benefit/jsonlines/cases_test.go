package jsonlines_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"madoguchi.example/shared/benefit/jsonlines"
	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
)

// shipped is compiled once for all tests; an engine may be shared.
var shipped = sync.OnceValues(func() (*rule.Engine, error) { return rule.Load(programs.FS) })

func engine(t testing.TB) *rule.Engine {
	t.Helper()
	e, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ours tells whether a programme here answers the benefit.
func ours(benefit string) bool {
	return strings.HasPrefix(benefit, "child_allowance") || benefit == "oneoff_kosodate_ouen_2025"
}

type expectation struct {
	ID        string
	Benefit   string
	Expect    map[string]any
	LawExpect map[string]any `json:"law_expect"`
}

type line struct {
	ID, Benefit, Month string
	Result             map[string]any
	Unknown            []string
	Steps              []struct {
		Rule, Version, Article string
		Inputs                 map[string]any
		Text                   map[string]string
	}
	Error *struct{ Code, At, Place, Message string }
}

// read gives the cases of a file that a programme here answers, as one text and parsed.
func read(t *testing.T, file string) (string, []expectation) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	var cases []expectation
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var c expectation
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if ours(c.Benefit) {
			cases = append(cases, c)
			text.WriteString(s.Text() + "\n")
		}
	}
	return text.String(), cases
}

// hold runs the cases; each key of what is expected must be in the result as it is.
func hold(t *testing.T, file string, want int) {
	text, cases := read(t, file)
	var out bytes.Buffer
	refused, err := jsonlines.Run(t.Context(), engine(t), "cases.jsonl", strings.NewReader(text), &out)
	if err != nil || refused > 0 {
		t.Errorf("%d refused, %v", refused, err)
	}
	held := map[string]int{}
	for d := json.NewDecoder(&out); len(cases) > 0; cases = cases[1:] {
		var got line
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		c := cases[0]
		expect := c.Expect
		if c.LawExpect != nil {
			expect = c.LawExpect
		}
		ok := got.ID == c.ID && got.Benefit == c.Benefit && len(got.Unknown) == 0 && got.Error == nil
		for key, v := range expect {
			if !reflect.DeepEqual(got.Result[key], v) {
				t.Errorf("%s: %s is %v, want %v", c.ID, key, got.Result[key], v)
				ok = false
			}
		}
		for _, s := range got.Steps {
			for _, lang := range []string{"ja", "ja_easy", "en"} {
				if text := s.Text[lang]; text == "" || strings.ContainsAny(text, "{}") {
					t.Errorf("%s: step %s says %q in %s", c.ID, s.Rule, text, lang)
				}
			}
			if s.Article == "" || s.Version == "" {
				t.Errorf("%s: step %s rests on nothing", c.ID, s.Rule)
			}
		}
		if ok {
			held[c.Benefit]++
		}
	}
	sum := 0
	for name, n := range held {
		t.Logf("%s: %d cases hold", name, n)
		sum += n
	}
	if sum != want {
		t.Errorf("%d cases hold, want %d", sum, want)
	}
}

func TestCasesByLaw(t *testing.T) { hold(t, filepath.Join("testdata", "law.jsonl"), 45) }

func TestPublishedCases(t *testing.T) {
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	for file, want := range map[string]int{"law": 45, "openfisca": 32} {
		path := filepath.Join(dir, "benefits", file, "cases.jsonl")
		if _, err := os.Stat(path); err != nil {
			t.Logf("vectors: %s absent, 0 cases ran", file)
			continue
		}
		t.Run(file, func(t *testing.T) { hold(t, path, want) })
	}
}

func TestLinesThatCannotBeAnswered(t *testing.T) {
	for _, c := range []struct{ name, in, code, place string }{
		{"no JSON", `{"id":"a"`, "invalid_argument", ""},
		{"a list", `[]`, "invalid_argument", ""},
		{"two values", `{} {}`, "invalid_argument", ""},
		{"twice", `{"id":"a","id":"b"}`, "invalid_argument", ""},
		{"deep", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "too_large", ""},
		{"no id", `{"benefit":"child_allowance"}`, "invalid_argument", "id"},
		{"unknown member", `{"id":"a","benefit":"child_allowance","month":"2025-07","inputs":{},"branch":1}`, "invalid_argument", ""},
		{"other spelling", `{"ID":"a","benefit":"child_allowance","month":"2025-07","inputs":{}}`, "invalid_argument", "id"},
		{"no month", `{"id":"a","benefit":"child_allowance","month":"2025-7","inputs":{}}`, "invalid_argument", "month"},
		{"no inputs", `{"id":"a","benefit":"child_allowance","month":"2025-07"}`, "invalid_argument", "inputs"},
		{"no such day", `{"id":"a","benefit":"child_allowance","month":"2025-07","inputs":{"children":["2023-02-29"]}}`, "invalid_argument", "inputs.children[0]"},
		{"half a yen", `{"id":"a","benefit":"child_allowance","month":"2023-07","inputs":{"income":1.5}}`, "invalid_argument", "inputs.income"},
		{"name of digits", `{"id":"a","benefit":"child_allowance","month":"2023-07","inputs":{"0000":1}}`, "invalid_argument", "inputs"},
		{"exponent", `{"id":"a","benefit":"child_allowance","month":"2023-07","inputs":{"income":1e6}}`, "invalid_argument", "inputs.income"},
		{"born tomorrow", `{"id":"a","benefit":"child_allowance","month":"2025-07","asked_on":"2025-07-01","inputs":{"children":["2025-07-02"]}}`, "invalid_argument", "children[0].birth"},
		{"no programme", `{"id":"a","benefit":"dinner","month":"2025-07","inputs":{}}`, "not_found", ""},
		{"no edition", `{"id":"a","benefit":"child_allowance","month":"1999-07","inputs":{}}`, "not_found", ""},
		{"no event", `{"id":"a","benefit":"child_allowance_start_month","month":"2025-07","inputs":{"event":"2025-07-01"}}`, "invalid_argument", "inputs"},
		{"members without roles", `{"id":"a","benefit":"child_allowance","date":"2025-07-01","members":[{"birth":"2020-01-01"}]}`, "invalid_argument", "members[0].role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := `{"id":"z","benefit":"child_allowance","month":"2025-07","inputs":{"children":[]}}`
			var out bytes.Buffer
			refused, err := jsonlines.Run(t.Context(), engine(t), "in.jsonl", strings.NewReader("\n"+c.in+"\n"+good+"\n"), &out)
			if refused != 1 || err != nil {
				t.Fatal(refused, err, out.String())
			}
			d := json.NewDecoder(&out)
			var bad, next line
			if err := d.Decode(&bad); err != nil || bad.Error == nil {
				t.Fatal(err, bad)
			}
			if bad.Error.At != "in.jsonl:2" || bad.Error.Code != c.code || bad.Error.Place != c.place || bad.Result != nil {
				t.Errorf("%+v", *bad.Error)
			}
			if err := d.Decode(&next); err != nil || next.ID != "z" || next.Error != nil {
				t.Error("the next line is not answered", err, next)
			}
		})
	}
}

func TestALineThatIsTooLongEndsTheRun(t *testing.T) {
	var out bytes.Buffer
	_, err := jsonlines.Run(t.Context(), engine(t), "in.jsonl", strings.NewReader(strings.Repeat("x", jsonlines.MaxLine+10)), &out)
	if err == nil || !strings.Contains(err.Error(), "in.jsonl:1") {
		t.Error(err)
	}
}

func TestAMissingFactIsTold(t *testing.T) {
	var out bytes.Buffer
	in := `{"id":"a","benefit":"child_allowance","month":"2023-05","inputs":{"children":[{"birth":"2020-05-05"}],"dependants":1,"income":null}}`
	if refused, err := jsonlines.Run(t.Context(), engine(t), "-", strings.NewReader(in), &out); refused > 0 || err != nil {
		t.Fatal(refused, err)
	}
	var got line
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if _, told := got.Result["amount"]; told || len(got.Unknown) != 1 || got.Unknown[0] != "income" {
		t.Errorf("%+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","benefit":"child_allowance","month":"2023-05","inputs":{"children":["2020-05-05",{"birth":"2021-02-28","cost_confirmed":true}],"income":1}}`))
	f.Add([]byte(`{"id":"a","benefit":"child_allowance","date":"2024-10-01","members":[{"role":"child","birth":"2020-05-05"}],"given":{"income_after_deductions":0},"dependants_implied":1}`))
	f.Add([]byte(`{"id":"a","benefit":"child_allowance_start_month","month":"2025-06","inputs":{"event":"2025-05-25","application":"2025-05-30"}}`))
	e := engine(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.ContainsAny(in, "\r\n") {
			return
		}
		_, err := jsonlines.Decode(in)
		var out bytes.Buffer
		refused, runErr := jsonlines.Run(t.Context(), e, "f", bytes.NewReader(in), &out)
		if runErr != nil || err != nil && refused == 0 && len(bytes.TrimSpace(in)) > 0 {
			t.Fatal(err, refused, runErr)
		}
		if out.Len() > 0 && !json.Valid(out.Bytes()) {
			t.Fatal("an answer is not JSON")
		}
	})
}
