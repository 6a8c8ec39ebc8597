package jsonpull_test

import (
	"encoding/json"
	"strings"
	"testing"

	"madoguchi.example/shared/internal/jsonpull"
)

func TestReaderReads(t *testing.T) {
	r := jsonpull.New(` { "a" : [1, -2.5e1, "\u00e9\ud83d\ude00\n"], "b":{"c":true}, "skipped":[{},[],null,false], "n":7, "raw": {"x":[1]} } `)
	var floats []float64
	var text, inner, raw string
	var n int64
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "a":
			for a := r.Array(); a.Next(); {
				if a.Index < 2 {
					floats = append(floats, r.Float())
				} else {
					text = r.Text()
				}
			}
		case "b":
			ahead := r.Fork()
			for o := ahead.Object(); o.Next(); {
				inner = o.Name
				break
			}
		case "n":
			n = r.Int()
		case "raw":
			raw = r.Raw()
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if len(floats) != 2 || floats[1] != -25 || text != "é😀\n" || inner != "c" || n != 7 || raw != `{"x":[1]}` {
		t.Errorf("read %v %q %q %d %q", floats, text, inner, n, raw)
	}
}

func TestReaderRefuses(t *testing.T) {
	deep := strings.Repeat("[", jsonpull.MaxDepth+1) + strings.Repeat("]", jsonpull.MaxDepth+1)
	var many strings.Builder
	for i := range jsonpull.MaxMembers + 1 {
		many.WriteString(`"` + strings.Repeat("a", i) + `":1,`)
	}
	for name, text := range map[string]string{
		"name twice":         `{"a":1,"a":2}`,
		"name twice escaped": `{"a":1,"\u0061":2}`,
		"text behind":        `{} x`,
		"trailing comma":     `[1,]`,
		"comma in object":    `{"a":1,}`,
		"no comma":           `[1 2]`,
		"lone surrogate":     `"\ud800"`,
		"reversed pair":      `"\ude00\ud83d"`,
		"not UTF-8":          "\"\xff\"",
		"not UTF-8, escaped": "\"\\n\xff\"",
		"control character":  "\"a\nb\"",
		"unknown escape":     `"\x"`,
		"cut escape":         `"\u12`,
		"no end":             `"abc`,
		"leading zero":       `[01]`,
		"plus":               `[+1]`,
		"no fraction":        `[1.]`,
		"no exponent":        `[1e]`,
		"byte order mark":    "\ufeff{}",
		"word":               `nul`,
		"nothing":            ``,
		"deep":               deep,
		"many":               "{" + many.String() + `"z":1}`,
	} {
		r := jsonpull.New(text)
		r.Skip()
		if r.End() == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestReaderFaultsStick(t *testing.T) {
	r := jsonpull.New(`{"a":"text","b":1}`)
	for m := r.Object(); m.Next(); {
		r.Int()
	}
	if r.Err() == nil || r.Text() != "" || r.Kind() != jsonpull.None || strings.Contains(r.Err().Error(), "text") {
		t.Errorf("error %v", r.Err())
	}
}

// FuzzSkip holds the reader against the library: what it takes, the library takes.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"x\u00e9"],"b":null}`, `[]`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, ` true `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		r := jsonpull.New(text)
		r.Skip()
		if r.End() == nil && !json.Valid([]byte(text)) {
			t.Error("the library refuses what the reader takes")
		}
		s := jsonpull.New(text)
		got := s.Text()
		var want string
		if s.End() == nil && (json.Unmarshal([]byte(text), &want) != nil || got != want) {
			t.Error("the library reads another string")
		}
	})
}
