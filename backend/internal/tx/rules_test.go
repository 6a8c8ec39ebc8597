package tx_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A callback of Do that uses the context from outside loses the mark "inside Do": a nested
// Do then stalls on SQLite, and on PostgreSQL commits a transaction of its own. So the
// callback's context has the name of the one that Do got, and hides it.
func TestCallbacksHideTheOuterContext(t *testing.T) {
	looked := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			outer, callback := doCall(n)
			if callback == nil {
				return true
			}
			looked++
			inner := callback.Type.Params.List[0].Names
			if hides := len(inner) == 1 && inner[0].Name == outer; !hides && uses(callback.Body, outer) {
				t.Errorf("%s: the callback uses %s from outside: name its own context so", set.Position(n.Pos()), outer)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if looked < 2 {
		t.Errorf("%d callbacks found", looked)
	}
}

// doCall recognises x.Do(ctx, func(ctx context.Context, t tx.Tx) error {…}).
func doCall(n ast.Node) (outer string, callback *ast.FuncLit) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", nil
	}
	if s, ok := call.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "Do" {
		return "", nil
	}
	name, ok := call.Args[0].(*ast.Ident)
	literal, isFunc := call.Args[1].(*ast.FuncLit)
	if !ok || !isFunc || len(literal.Type.Params.List) != 2 {
		return "", nil
	}
	if last, ok := literal.Type.Params.List[1].Type.(*ast.SelectorExpr); !ok || last.Sel.Name != "Tx" {
		return "", nil
	}
	return name.Name, literal
}

// uses tells whether the name stands anywhere in the body.
func uses(body ast.Node, name string) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return !found
	})
	return found
}
