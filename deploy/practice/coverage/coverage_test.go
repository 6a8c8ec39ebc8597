package coverage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/coverage"
)

func TestAPopulationIsItsOwnRegister(t *testing.T) {
	town, err := population.Generate(7, 200, "2026-11-21")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := town.Write(dir); err != nil {
		t.Fatal(err)
	}
	r, err := coverage.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	const day = "2026-11-20"
	all := r.All(day)
	if len(all) < 100 {
		t.Fatalf("%d coverages count", len(all))
	}
	words := map[coverage.Word]int{}
	for _, c := range all {
		p := c.Holder()
		word, about := r.Find(coverage.Question{Insurer: c.Insurer, Symbol: c.Symbol, Number: c.Number, Branch: c.Branch, Birth: p.Birth, Day: day})
		words[word]++
		if word == coverage.Valid && about.Holder() != p {
			t.Error("another person's coverage is told")
		}
		if of, ok := r.Of(p.Ref, p.Municipality, day); !ok || !of.On(day) {
			t.Error("a card leads to no coverage that counts")
		}
		if word, _ := r.Find(coverage.Question{Insurer: c.Insurer, Symbol: c.Symbol, Number: c.Number, Branch: c.Branch, Birth: "1900-01-01", Day: day}); word != coverage.None {
			t.Error("another birth date is found")
		}
	}
	if words[coverage.Valid] < len(all)*9/10 {
		t.Errorf("words %v of %d", words, len(all))
	}
}

func TestLoadTellsFileAndLine(t *testing.T) {
	const people = "resident_ref,municipality_code,birth_date\nR1,990019,1980-04-01\n"
	const head = "resident_ref,municipality_code,insurer_number,number,valid_from,valid_to,copayment_percent,insured_kind\n"
	for name, c := range map[string]struct{ people, lines, want string }{
		"no birth date": {"resident_ref,municipality_code,birth_date\nR1,990019,1.4.1980\n", head, "residents.csv: line 2"},
		"nobody":        {people, head + "R2,990019,990119,1,2020-01-01,,30,insured\n", "coverage.csv: line 2"},
		"share":         {people, head + "R1,990019,990119,1,2020-01-01,,x,insured\n", "coverage.csv: line 2"},
		"day":           {people, head + "R1,990019,990119,77310042,2020-13-01,,30,insured\n", "coverage.csv: line 2"},
		"columns":       {people, head + "R1,990019\n", "coverage.csv: line 2"},
		"empty":         {people, "", "coverage.csv: no header"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"residents.csv": c.people, "coverage.csv": c.lines} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := coverage.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "77310042") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := coverage.Load(t.TempDir()); err == nil {
		t.Error("an empty folder is a register")
	}
}
