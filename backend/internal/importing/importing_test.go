package importing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
)

// runner runs callbacks without a store; fail is what it answers next.
type runner struct{ fail []error }

type none struct{}

func (none) OpaqueTx() {}

func (r *runner) Do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	if err := fn(ctx, none{}); err != nil {
		return err
	}
	if len(r.fail) > 0 {
		err := r.fail[0]
		r.fail = r.fail[1:]
		return err
	}
	return nil
}

type thing struct {
	ref, words string
	n          int64
}

// shelf keeps things as a store would.
type shelf struct {
	digests map[string]string
	batches []int
}

func (s *shelf) importer() importing.Importer {
	return importing.For(importing.Sheet[thing]{
		File:    "things.csv",
		Columns: []importing.Column{{Name: "ref"}, {Name: "n"}, {Name: "words", Free: true}},
		Parse: func(r *importing.Row) thing {
			return thing{r.Ref("ref"), r.Text("words", 20), r.Whole("n", 0, 9)}
		},
		Key: func(v thing) string { return v.ref },
		Store: func(_ context.Context, _ tx.Tx, _ actor.System, batch []importing.Entry[thing]) ([]importing.Verdict, error) {
			s.batches = append(s.batches, len(batch))
			out := make([]importing.Verdict, len(batch))
			for i, e := range batch {
				switch before, ok := s.digests[e.Key]; {
				case e.Value.ref == "unknown":
					out[i] = importing.Verdict{Result: importing.Refused, Column: "ref", Reason: "nobody knows it"}
				case !ok:
					s.digests[e.Key] = string(e.Digest)
				case before == string(e.Digest):
					out[i].Result = importing.Unchanged
				default:
					out[i].Result = importing.Changed
				}
			}
			return out, nil
		},
		Replace: func(_ context.Context, _ tx.Tx, _ actor.System, e importing.Entry[thing]) error {
			s.digests[e.Key] = string(e.Digest)
			return nil
		},
	})
}

func newShelf() *shelf { return &shelf{digests: map[string]string{}} }

func file(name, text string) importing.Source {
	return importing.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

func run(t *testing.T, s *shelf, text string) importing.FileReport {
	t.Helper()
	rep, err := importing.New(&runner{}, s.importer()).Import(t.Context(), actor.System{Name: "import"}, []importing.Source{file("things.csv", text)})
	if err != nil {
		t.Fatal(err)
	}
	return rep.Files[0]
}

func TestImport(t *testing.T) {
	const good = "ref,n,words\na,1,one\n"
	long := strings.Repeat("x", importing.MaxRowBytes)
	cases := []struct {
		name, text string
		added      int
		faults     []string
	}{
		{"good", good, 1, nil},
		{"BOM, CRLF, columns in another order, quotes", "\ufeffwords,ref,n\r\n\"one, \"\"two\"\"\",a,1\r\n", 1, nil},
		{"blank lines", "ref,n,words\n\na,1,one\r\n\n", 1, nil},
		{"no line end after the last row, free cell", "ref,n,words\na,1,one\nb,2,tw", 1, []string{"line 3: the row may be cut: end the file with a line break"}},
		{"no line end after the last row, checked cell", "words,ref,n\none,a,1", 1, nil},
		{"cut last row", good + "b,2", 1, []string{"line 3: has 2 cells where the header has 3"}},
		{"cut in a quote", good + "b,2,\"tw", 1, []string{"line 3 column 3 (words): a quote stands where none may, or is not closed in this line"}},
		{"open quote does not eat the next row", "ref,n,words\nb,2,\"tw\na,1,one\n", 1, []string{"line 2 column 3 (words): a quote stands where none may, or is not closed in this line"}},
		{"quote inside", "ref,n,words\nb,2,t\"w\n", 0, []string{"line 2 column 3 (words): a quote stands where none may, or is not closed in this line"}},
		{"text after a quote", "ref,n,words\nb,\"2\"x,tw\n", 0, []string{"line 2 column 2 (n): a quote stands where none may, or is not closed in this line"}},
		{"invalid UTF-8", "ref,n,words\nb,2,\xff\na,1,one\n", 1, []string{"line 2: not valid UTF-8"}},
		{"NUL", "ref,n,words\nb,2,t\x00w\na,1,one\n", 1, []string{"line 2: holds a NUL character"}},
		{"control character", "ref,n,words\nb,2,t\tw\na,1,one\n", 1, []string{"line 2 column 3 (words): holds a control character"}},
		{"long row", "ref,n,words\nb,2," + long + "\na,1,one\n", 1, []string{"line 2: the row is longer than the limit"}},
		{"two faults in a row", "ref,n,words\nb b,x,tw\na,1,one\n", 1, []string{
			"line 2 column 1 (ref): may hold only ASCII letters, digits and -_.:/", "line 2 column 2 (n): not a whole number from 0 to 9"}},
		{"empty and long cell", "ref,n,words\na,1,\nb,1,123456789 123456789 1\n", 0, []string{"line 2 column 3 (words): empty", "line 3 column 3 (words): longer than 20 characters"}},
		{"My Number in a free cell", "ref,n,words\na,1,1234 5678 9018\nb,1,１２３４５６７８９０１８\n", 0, []string{
			"line 2 column 3 (words): looks like a My Number, which is never taken in", "line 3 column 3 (words): looks like a My Number, which is never taken in"}},
		{"digits in a machine's cell", "ref,n,words\n123456789018,1,one\n", 1, nil},
		{"same key, same row", good + "a,1,one\n", 1, nil},
		{"same key, other row", good + "a,2,two\n", 1, []string{"line 3: conflict: line 2 says something else about the same thing"}},
		{"refused by the store", good + "unknown,1,x\n", 1, []string{"line 3 column 1 (ref): nobody knows it"}},
		{"empty file", "", 0, []string{"line 1: the file is empty: it must begin with the header"}},
		{"no header", "a,1,one\n", 0, []string{"line 1 column 1: unknown column", "line 1 column 2: unknown column", "line 1 column 3: unknown column",
			"line 1: the column ref is missing", "line 1: the column n is missing", "line 1: the column words is missing"}},
		{"column twice", "ref,n,words,n\na,1,one,1\n", 0, []string{"line 1 column 4 (n): the column stands twice"}},
		{"header not UTF-8", "ref,n,w\xff\na,1,one\n", 0, []string{"line 1: not valid UTF-8"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, newShelf(), c.text)
			if got.Added != c.added {
				t.Errorf("added %d, want %d", got.Added, c.added)
			}
			var faults []string
			for _, f := range got.Faults {
				faults = append(faults, strings.TrimPrefix(f.String(), "things.csv "))
			}
			if strings.Join(faults, "\n") != strings.Join(c.faults, "\n") {
				t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(faults, "\n"), strings.Join(c.faults, "\n"))
			}
		})
	}
}

func TestSameFileTwiceChangesNothing(t *testing.T) {
	s := newShelf()
	const text = "ref,n,words\na,1,one\nb,2,two\n"
	run(t, s, text)
	if got := run(t, s, text); got.Added != 0 || got.Changed != 0 || got.Unchanged != 2 {
		t.Errorf("second time: %+v", got)
	}
	if got := run(t, s, "words,n,ref\none,1,a\ndeux,2,b\n"); got.Unchanged != 1 || got.Changed != 1 {
		t.Errorf("columns in another order, one row changed: %+v", got)
	}
}

func TestBatches(t *testing.T) {
	var b strings.Builder
	b.WriteString("ref,n,words\n")
	for i := range importing.BatchRows*2 + 1 {
		fmt.Fprintf(&b, "r%d,1,x\n", i)
	}
	s := newShelf()
	if got := run(t, s, b.String()); got.Added != importing.BatchRows*2+1 || fmt.Sprint(s.batches) != "[500 500 1]" {
		t.Errorf("%d rows in batches %v", got.Added, s.batches)
	}
}

// endless gives lines without end, so that the limits are proved without a large file.
type endless struct {
	head, line string
	n          int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	var b []byte
	for len(b) < len(p) {
		e.n++
		b = append(b, strings.ReplaceAll(e.line, "#", fmt.Sprint(e.n))...)
	}
	return copy(p, b[:len(p)]), nil
}

func (e *endless) Close() error { return nil }

func TestFileLimits(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"bytes": {"r" + strings.Repeat("x", 8<<10) + "\n", "the file is larger than 67108864 bytes"},
		"rows":  {"r,1,x\n", "more than 200000 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			src := importing.Source{Name: "things.csv", Open: func() (io.ReadCloser, error) { return &endless{head: "ref,n,words\n", line: c.line}, nil }}
			rep, err := importing.New(&runner{}, newShelf().importer()).Import(t.Context(), actor.System{}, []importing.Source{src})
			if err != nil {
				t.Fatal(err)
			}
			faults := rep.Files[0].Faults
			if last := faults[len(faults)-1]; !strings.Contains(last.Reason, c.want) {
				t.Errorf("last fault: %v", last)
			}
		})
	}
	big := importing.Source{Name: "things.csv", Size: importing.MaxFileBytes + 1, Open: func() (io.ReadCloser, error) { panic("opened") }}
	rep, err := importing.New(&runner{}, newShelf().importer()).Import(t.Context(), actor.System{}, []importing.Source{big})
	if err != nil || rep.Refused() != 1 {
		t.Errorf("a file that says it is too large: %v, %v", rep, err)
	}
}

func TestUnknownFileName(t *testing.T) {
	rep, err := importing.New(&runner{}).Import(t.Context(), actor.System{}, []importing.Source{file("secrets.csv", "a\n")})
	if err != nil || rep.Refused() != 1 {
		t.Errorf("%v, %v", rep, err)
	}
}

func TestStoreFaults(t *testing.T) {
	text := "ref,n,words\na,1,one\n"
	broken := errors.New("disk full")
	for _, c := range []struct {
		name string
		fail []error
		want error
	}{
		{"group and unknown are repeated", []error{tx.ErrGroup, tx.ErrUnknown}, nil},
		{"unknown without end", []error{tx.ErrUnknown, tx.ErrUnknown, tx.ErrUnknown, tx.ErrUnknown}, tx.ErrUnknown},
		{"any other ends the import", []error{broken}, broken},
	} {
		_, err := importing.New(&runner{c.fail}, newShelf().importer()).Import(t.Context(), actor.System{}, []importing.Source{file("things.csv", text)})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"vaccinations.csv", "residents.csv", "municipalities.csv", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := importing.Files(filepath.Join(dir, "vaccinations.csv"), dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	rep, err := importing.New(&runner{}).Import(t.Context(), actor.System{}, files)
	if err != nil || rep.Files[0].File != "municipalities.csv" || rep.Files[3].File != "vaccinations.csv" {
		t.Errorf("order: %+v, %v", rep.Files, err)
	}
	if _, err := importing.Files(filepath.Join(dir, "none")); err == nil {
		t.Error("a path that is not there was taken")
	}
}

// FuzzImport: no input makes it fail, and every row is counted exactly once.
func FuzzImport(f *testing.F) {
	for _, s := range []string{"ref,n,words\na,1,one\n", "\ufeffref,n,words\r\na,1,\"o\"\"ne\"\r\n", "ref,n,words\na,1,\"one", "", "\n", "ref,n,words\n,,\n\x00\n\xff\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := run(t, newShelf(), text)
		if r.Rows > 0 && r.Added+r.Changed+r.Unchanged+r.Refused != r.Rows {
			t.Errorf("%+v", r)
		}
		for _, f := range r.Faults {
			if f.Line < 1 || f.Reason == "" {
				t.Errorf("fault without a place or reason: %+v", f)
			}
		}
	})
}
