package rule_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/rule"
)

// A programme of any bytes is taken whole or refused with the file of each fault; what is
// taken can be asked.
func FuzzLoad(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(lunch)) {
		f.Add(lunch[name], strings.TrimPrefix(name, "lunch/"))
	}
	f.Fuzz(func(t *testing.T, text, file string) {
		if !fs.ValidPath(file) || strings.Contains(file, "/") {
			return
		}
		fsys := with(t, "program.toml", "", "")
		fsys["lunch/"+file] = &fstest.MapFile{Data: []byte(text)}
		loadAndAsk(t, fsys)
	})
}

// An expression of any characters costs what it may, fails, or gives a value.
func FuzzExpression(f *testing.F) {
	for _, when := range []string{"school == \"primary\" && fiscal_age >= 7", "months_old * 9223372036854775807 > param.monthly", "!(age < 3) || rank == 0",
		"[1, 2].exists(x, x > children)", "school.matches(\"(a+)+\") ? true : false", "1.5 < 2.5", "int(school) / (age - age) > 1"} {
		f.Add(when)
	}
	f.Fuzz(func(t *testing.T, when string) {
		if strings.ContainsAny(when, "'\r\n") || !utf8.ValidString(when) {
			return
		}
		loadAndAsk(t, with(t, "edition-1.toml", `"school == 'primary' && fiscal_age >= 7 && fiscal_age <= 12"`, "'"+when+"'"))
	})
}

func loadAndAsk(t *testing.T, fsys fstest.MapFS) {
	e, err := rule.Load(fsys)
	if err != nil {
		at, ok := errors.AsType[*benefit.Fault](err)
		if !ok || e != nil || !strings.HasPrefix(at.File, "lunch") || !strings.HasPrefix(err.Error(), at.String()+": ") {
			t.Fatal(err)
		}
		return
	}
	kids := children(t, "2016-05-05", "2012-02-29")
	kids[1].Facts = map[string]benefit.Value{"school": benefit.Text("primary")}
	for _, id := range e.Programs() {
		r := benefit.Request{Benefit: id, Month: month(t, "2026-01"), Children: kids}
		said, saidErr := e.Evaluate(r)
		d, err := e.Decide(r)
		if fmt.Sprint(err) != fmt.Sprint(saidErr) {
			t.Fatal(err, saidErr)
		}
		if err != nil {
			continue
		}
		if err := e.Explain(&d); err != nil || !reflect.DeepEqual(d, said) {
			t.Fatal(err, d, said)
		}
	}
}
