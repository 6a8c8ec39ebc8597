package tour

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sources are the files of child support.
var sources = []string{"childcare.csv", "checkups.csv"}

func (w *supportWalk) sourcesAgain(ctx context.Context) error {
	for _, name := range sources {
		out, err := w.Stage.Tool(ctx, "import", filepath.Join(w.Stage.PeopleDir(), name))
		if err != nil {
			return err
		}
		if !strings.Contains(string(out), "0 added, 0 changed") {
			return fmt.Errorf("the import said: %s", out)
		}
	}
	return nil
}

// rewritten copies a source, each row changed, into a folder of its own.
func (w *supportWalk) rewritten(name string, change func(head, row []string) []string) (file string, err error) {
	raw, err := os.ReadFile(filepath.Join(w.Stage.PeopleDir(), name))
	if err != nil {
		return "", err
	}
	all, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	out := csv.NewWriter(&b)
	for i, row := range all {
		if i > 0 {
			row = change(all[0], row)
		}
		if err := out.Write(row); err != nil {
			return "", err
		}
	}
	out.Flush()
	dir, err := os.MkdirTemp(w.Stage.Dir, "source-")
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(b.String()), 0o600)
}

// asOf sets the day of which the source speaks.
func asOf(day string) func(head, row []string) []string {
	return func(head, row []string) []string {
		row = slices.Clone(row)
		row[slices.Index(head, "as_of")] = day
		return row
	}
}

func (w *supportWalk) badSources(ctx context.Context) error {
	for _, name := range sources {
		old, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now().AddDate(-1, 0, 0))))
		if err != nil {
			return err
		}
		cut, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now())))
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(cut)
		if err != nil {
			return err
		}
		half := raw[:len(raw)-len(raw)/3]
		half = half[:strings.LastIndexByte(string(half), ',')+1] // in the middle of a row
		if err := os.WriteFile(cut, half, 0o600); err != nil {
			return err
		}
		for what, file := range map[string]string{"of last year": old, "cut off": cut} {
			_, err := w.Stage.Tool(ctx, "import", file)
			if said := fmt.Sprint(err); err == nil || !strings.Contains(said, name) || !strings.Contains(said, "line ") {
				return fmt.Errorf("%s %s was answered with: %s", name, what, said)
			}
			if said := fmt.Sprint(err); !strings.Contains(said, " 0 added, 0 changed") {
				return fmt.Errorf("%s %s was half taken: %s", name, what, said)
			}
		}
	}
	return w.sourcesAgain(ctx)
}

func (w *supportWalk) newSources(ctx context.Context) error {
	for _, name := range sources {
		file, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now())))
		if err != nil {
			return err
		}
		if out, err := w.Stage.Tool(ctx, "import", file); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
	}
	return nil
}
