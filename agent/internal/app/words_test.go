package app_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/notice"
)

// parsed reads the files of a package that are no tests.
func parsed(t *testing.T, dir string) []*ast.File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// constants are the texts of a package's constants of a type, or, with a prefix, of those
// without a type whose names begin so.
func constants(t *testing.T, dir, of, prefix string) []string {
	t.Helper()
	var all []string
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			named, _ := v.Type.(*ast.Ident)
			text, isText := literal(v.Values[0])
			if isText && text != "" && (named != nil && named.Name == of || named == nil && prefix != "" && strings.HasPrefix(v.Names[0].Name, prefix)) {
				all = append(all, text)
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("%s has no constants %s%s", dir, of, prefix)
	}
	return all
}

// told are the words that calls of a method give as their last argument.
func told(t *testing.T, dir, method string) []string {
	t.Helper()
	var all []string
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == method {
				if text, ok := literal(call.Args[len(call.Args)-1]); ok && !strings.Contains(text, " ") && !slices.Contains(all, text) {
					all = append(all, text)
				}
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("nothing in %s calls %s with a word", dir, method)
	}
	return all
}

func literal(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != gotoken.STRING {
		return "", false
	}
	text, err := strconv.Unquote(b.Value)
	return text, err == nil
}

func texts[S ~string](all []S) []string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

// Every word that a part behind the desk can say has its sentence at the desk, in each
// language: what the parts add is found here and not by a receptionist.
func TestEveryWordHasItsSentence(t *testing.T) {
	const check, oqs, elig, scanner = "../check", "../../../shared/oqs", "../../../shared/eligibility", "../scanner"
	desk := map[string][]string{ // by what stands before the word in the desk's catalogue
		"card.e_":   texts(card.Words()),
		"card.k_":   constants(t, "../card/counter", "Kind", ""),
		"bar.card_": constants(t, "../card/counter", "Kind", ""),
		"card.un_":  constants(t, "../card/counter", "Unproven", ""),
		"e.":        slices.Concat(told(t, check, "fail"), told(t, check, "At"), constants(t, check, "", "Already"), constants(t, check, "", "TooMany"), constants(t, check, "", "Another"), constants(t, check, "", "NothingTo"), constants(t, check, "", "IsCorrection"), constants(t, check, "", "PlaceClock"), constants(t, check, "", "PlacePayer")),
		"need.":     constants(t, check, "Need", ""),
		"why.case_": constants(t, check, "Why", ""),
		"r.":        slices.Concat(constants(t, check, "Display", ""), constants(t, elig, "Validity", "")),
		"cause.":    texts(eligibility.Causes()),
		"ev.":       constants(t, elig, "Evidence", ""),
		"reason.":   constants(t, elig, "AmendReason", ""),
		"route.":    constants(t, elig, "Route", ""),
		"refusal.":  append(constants(t, check, "", "Refusal"), "unsendable", "cannot_be_written"),
		"repair.":   constants(t, scanner, "", "Repair"),
		"practice.": suffixed(constants(t, "../rehearsal", "", "Lesson"), ".do", ".see"),
		"d.":        doubts(t),
	}
	sentences := 0
	for _, lang := range notice.Languages() {
		words := reception.Catalogue(string(lang))
		for before, all := range desk {
			for _, word := range all {
				sentences++
				if words[before+word] == "" {
					t.Errorf("%s: the desk has no sentence %s%s", lang, before, word)
				}
			}
		}
		for _, word := range constants(t, scanner, "", "Fault") {
			for _, what := range []string{".said", ".mend"} {
				if doctor.Catalogue(string(lang))["scan."+word+what] == "" {
					t.Errorf("%s: a code has no sentence %s%s", lang, word, what)
				}
			}
		}
	}
	t.Logf("%d sentences stand", sentences)
}

func suffixed(words []string, ends ...string) []string {
	var all []string
	for _, w := range words {
		for _, end := range ends {
			all = append(all, w+end)
		}
	}
	return all
}

// doubts are those of what is typed at a desk.
func doubts(t *testing.T) []string {
	t.Helper()
	all := slices.Concat(constants(t, "../../../shared/insurance", "Doubt", ""), constants(t, "../../../shared/jptext", "Hint", ""))
	return slices.DeleteFunc(all, func(word string) bool {
		return word == string(insurance.DoubtPointTable) // of institution codes, which no desk types
	})
}
