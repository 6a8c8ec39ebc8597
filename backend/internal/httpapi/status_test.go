package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"madoguchi.example/shared/fault"
)

// Every code of the vocabulary has a status.
func TestEveryCodeHasAStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../../shared/fault/fault.go", nil, 0)
	if err != nil {
		t.Skipf("the vocabulary's source is not beside this module: %v", err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if statuses[fault.Code(text)] == 0 {
			t.Errorf("%s has no status", text)
		}
		return true
	})
	if n != len(statuses) {
		t.Errorf("the vocabulary has %d codes, the table %d", n, len(statuses))
	}
}
