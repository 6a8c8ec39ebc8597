package apiv1

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// The committed document is what the types say. Mend with: go generate ./apiv1
func TestDocumentIsFresh(t *testing.T) {
	want, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("mobile-api/openapi.json is not what the types say: run go generate in mobile-api/apiv1")
	}
	again, err := Document()
	if err != nil || !bytes.Equal(again, want) {
		t.Errorf("the document differs from call to call: %v", err)
	}
}

// Every operation that the package declares is in All.
func TestAllIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "operations.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if x, ok := n.(*ast.IndexListExpr); ok {
			if name, ok := x.X.(*ast.Ident); ok && name.Name == "Op" {
				declared++
			}
		}
		return true
	})
	ids := map[string]bool{}
	for _, d := range All() {
		ids[d.Operation.OperationID] = true
	}
	if len(ids) != declared || len(All()) != declared {
		t.Errorf("%d operations are declared, All has %d, of %d names", declared, len(All()), len(ids))
	}
}

// Every operation answers errors as problem documents.
func TestErrorsAreProblems(t *testing.T) {
	raw, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if _, ok := op.Responses["default"].Content[ProblemType]; !ok {
				t.Errorf("%s %s has no problem document", method, path)
			}
		}
	}
}

func TestCutPlace(t *testing.T) {
	known := map[string]bool{"binding": true, "tags": true, "Idempotency-Key": true}
	for location, want := range map[string]string{
		"body.binding":            "body.binding",
		"header.Idempotency-Key":  "header.Idempotency-Key",
		"body.secret-name":        "body",
		"body.tags[3]":            "body.tags",
		"body.tags[123456789018]": "body.tags",
		"body.tags[1].evil":       "body.tags",
		"himitsu":                 "",
		"":                        "",
	} {
		if got := cutPlace(location, known); got != want {
			t.Errorf("%q was cut to %q, want %q", location, got, want)
		}
	}
}

func FuzzStrictJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}]}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if err := unmarshalStrict(data, &v); err == nil && !json.Valid(data) {
			t.Errorf("taken, but not JSON: %q", data)
		}
	})
}
