package jcs_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/internal/jsonpull"
)

func TestTransform(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"sorted", ` { "b" : 1 , "a" : [ true , null , { } ] } `, `{"a":[true,null,{}],"b":1}`},
		{"sorted deep", `{"z":{"b":[{"d":1,"c":2}],"a":""},"y":0}`, `{"y":0,"z":{"a":"","b":[{"c":2,"d":1}]}}`},
		{"prefix first", `{"aa":1,"a":2,"":3}`, `{"":3,"a":2,"aa":1}`},
		{"escapes", `"\u000F\u000a\u0041\/\"\\\t\b\f\r\u20ac\u007f"`, "\"\\u000f\\nA/\\\"\\\\\\t\\b\\f\\r\u20ac\u007f\""},
		{"not normalised", `"A\u030a"`, "\"A\u030a\""},
		{"integers", `[0,-1,9007199254740991,-9007199254740991]`, `[0,-1,9007199254740991,-9007199254740991]`},
		// RFC 8785 section 3.2.3.
		{
			"UTF-16 order",
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew","1":"One","\ud83d\ude00":"Emoji","\u0080":"Control","\u00f6":"o"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"\u00f6\":\"o\",\"\u20ac\":\"Euro Sign\",\"\U0001f600\":\"Emoji\",\"\ufb33\":\"Hebrew\"}",
		},
	} {
		got, err := jcs.Transform(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"fraction": `1.5`, "whole fraction": `1.0`, "exponent": `1e2`, "negative zero": `-0`,
		"gap": `9007199254740992`, "negative gap": `-9007199254740992`, "beyond 64 bits": `99999999999999999999`,
		"name twice": `{"a":1,"b":2,"a":3}`, "name twice, escaped": `{"a":1,"\u0061":2}`,
		"lone surrogate": `"\ud800"`, "not UTF-8": "\"\xff\"", "behind": `{} {}`, "nothing": ``, "cut": `{"a":[1`,
	} {
		if got, err := jcs.Transform(text); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestManyMembers has more members than the usual room, backwards.
func TestManyMembers(t *testing.T) {
	var in, want []string
	for i := range 200 {
		in = append(in, fmt.Sprintf(`"%03d":%d`, 199-i, 199-i))
		want = append(want, fmt.Sprintf(`"%03d":%d`, i, i))
	}
	got, err := jcs.Transform("{" + strings.Join(in, ",") + "}")
	if err != nil || string(got) != "{"+strings.Join(want, ",")+"}" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAllocations(t *testing.T) {
	const text = `{"hdr":{"t":"icao.vacc","v":1,"is":"JPN"},"msg":{"ve":[{"vd":[{"seq":1,"dvc":"2021-03-01"}],"des":"XM0GQ8"}]}}`
	room := make([]byte, 0, 2*len(text))
	if n := testing.AllocsPerRun(100, func() {
		r := jsonpull.New(text)
		jcs.Append(room, r)
	}); n > 2 {
		t.Errorf("%v allocations, at most the reader's 2", n)
	}
}

// slow is the canonical form by another way: the library's values, sorted as UTF-16.
func slow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var names []string
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int {
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		})
		var members []string
		for _, name := range names {
			members = append(members, slow(name)+":"+slow(v[name]))
		}
		return "{" + strings.Join(members, ",") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, slow(item))
		}
		return "[" + strings.Join(items, ",") + "]"
	case string:
		var b strings.Builder
		for _, c := range v {
			short, named := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}[c]
			switch {
			case named:
				b.WriteString(short)
			case c < ' ':
				fmt.Fprintf(&b, `\u%04x`, c)
			default:
				b.WriteRune(c)
			}
		}
		return `"` + b.String() + `"`
	case json.Number:
		return v.String()
	default:
		return fmt.Sprint(map[any]string{true: "true", false: "false", nil: "null"}[v])
	}
}

// FuzzTransform holds the fast way against the slow one; and the canonical form is its own.
func FuzzTransform(f *testing.F) {
	for _, seed := range []string{
		`{"sig":{"cer":"AA==","alg":"ES256"},"data":{"msg":{"ve":[{"vd":[{"seq":1}]}]},"hdr":{"v":1}}}`,
		`{"é":1,"\ud83d\ude00":2,"\ufb33":3,"z":[{"b":"\u0000","a":"\n"}]}`, `[1,-2,0,true,false,null,""]`, `"\""`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		got, err := jcs.Transform(text)
		if err != nil {
			return
		}
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("the library refuses what is taken: %v", err)
		}
		if want := slow(v); string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
		if again, err := jcs.Transform(string(got)); err != nil || string(again) != string(got) {
			t.Errorf("its own form differs: %s, %v", again, err)
		}
	})
}
