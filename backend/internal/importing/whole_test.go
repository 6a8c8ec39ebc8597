package importing_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
)

// statement is an importer whose files are taken whole or not at all; 9 in n is refused by
// Store, and 8 by the look at the whole.
func statement(stored *[]string) importing.Importer {
	return importing.For(importing.Sheet[thing]{
		File:    "things.csv",
		Columns: importing.Columns("ref", "n"),
		Parse:   func(r *importing.Row) thing { return thing{ref: r.Ref("ref"), n: r.Whole("n", 0, 9)} },
		Key:     func(v thing) string { return v.ref },
		Whole: func(_ context.Context, _ tx.Tx, _ actor.System, all []importing.Entry[thing]) ([]importing.Objection, error) {
			var out []importing.Objection
			for _, e := range all {
				if e.Value.n == 8 {
					out = append(out, importing.Objection{Line: e.Line, Column: "n", Reason: "not today"})
				}
			}
			return out, nil
		},
		Store: func(_ context.Context, _ tx.Tx, _ actor.System, batch []importing.Entry[thing]) ([]importing.Verdict, error) {
			out := make([]importing.Verdict, len(batch))
			for i, e := range batch {
				if e.Value.n == 9 {
					out[i] = importing.Verdict{Result: importing.Refused, Column: "ref", Reason: "nobody knows it"}
					continue
				}
				*stored = append(*stored, e.Key)
			}
			return out, nil
		},
	})
}

func TestAFileThatIsOneStatement(t *testing.T) {
	many := "ref,n\n"
	for i := range importing.BatchRows + 1 {
		many += "r" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ",1\n"
	}
	for name, c := range map[string]struct {
		text   string
		stored int
		fault  string
	}{
		"good":                    {"ref,n\na,1\nb,2\n", 2, ""},
		"more than a batch":       {many, importing.BatchRows + 1, ""},
		"a bad row":               {"ref,n\na,1\nb,x\n", 0, "things.csv line 3 column 2 (n): not a whole number from 0 to 9"},
		"a bad row after a batch": {many + "z,x\n", 0, "things.csv line 503 column 2 (n): not a whole number from 0 to 9"},
		"cut in a row":            {"ref,n\na,1\nb", 0, "things.csv line 3: has 1 cells where the header has 2"},
		"cut in the last cell":    {"ref,n\na,1\nb,2", 0, "things.csv line 3: the row may be cut: end the file with a line break"},
		"an objection":            {"ref,n\na,1\nb,8\n", 0, "things.csv line 3 column 2 (n): not today"},
		"a refusal of Store":      {"ref,n\na,1\nb,9\n", 1, "things.csv line 3 column 1 (ref): nobody knows it"},
		"a header alone":          {"ref,n\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var stored []string
			src := importing.Source{Name: "things.csv", Size: int64(len(c.text)), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(c.text)), nil
			}}
			rep, err := importing.New(&runner{}, statement(&stored)).Import(t.Context(), actor.System{Name: "import"}, []importing.Source{src})
			if err != nil {
				t.Fatal(err)
			}
			f := rep.Files[0]
			if len(stored) != c.stored || f.Added != c.stored {
				t.Errorf("%d stored, %d added, want %d", len(stored), f.Added, c.stored)
			}
			var last string
			if n := len(f.Faults); n > 0 {
				last = f.Faults[n-1].String()
			}
			if last != c.fault || (c.fault != "" && f.Refused == 0) {
				t.Errorf("fault %q, want %q", last, c.fault)
			}
			if c.fault != "" && c.stored == 0 && !strings.Contains(f.Faults[0].String(), "nothing of this file was taken in") {
				t.Errorf("the first fault is %q", f.Faults[0])
			}
		})
	}
}
