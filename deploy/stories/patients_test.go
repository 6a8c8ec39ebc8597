package stories_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
)

// card is what stands on one proof of insurance.
type card struct {
	insurer, symbol, number, branch string
	ended                           bool
}

// patient is one synthetic resident, with every coverage that the insurers know of.
type patient struct {
	ref, municipality string
	kanji, kana       string
	birth             string
	cards             []card
}

// current is the coverage that has no end, old one that has ended.
func (p patient) current() card { return p.pick(false) }
func (p patient) old() card     { return p.pick(true) }

func (p patient) pick(ended bool) card {
	for _, c := range p.cards {
		if c.ended == ended {
			return c
		}
	}
	return card{}
}

// patients reads the people of the stage by their kana. Whoever shares a name with another
// is left out: a story means one person.
func patients(t *testing.T, dir string) map[string]patient {
	t.Helper()
	byRef, known, twice := map[string]*patient{}, map[string]patient{}, map[string]bool{}
	for _, row := range rows(t, filepath.Join(dir, "residents.csv")) {
		byRef[row["municipality_code"]+row["resident_ref"]] = &patient{
			ref: row["resident_ref"], municipality: row["municipality_code"], birth: row["birth_date"],
			kana: row["family_kana"] + " " + row["given_kana"], kanji: row["family_kanji"] + "　" + row["given_kanji"],
		}
	}
	for _, row := range rows(t, filepath.Join(dir, "coverage.csv")) {
		p := byRef[row["municipality_code"]+row["resident_ref"]]
		p.cards = append(p.cards, card{row["insurer_number"], row["symbol"], row["number"], row["branch"], row["valid_to"] != ""})
	}
	for _, p := range byRef {
		if _, there := known[p.kana]; there {
			twice[p.kana] = true
		}
		known[p.kana] = *p
	}
	for kana := range twice {
		delete(known, kana)
	}
	return known
}

// rows reads a CSV file with a header.
func rows(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("cannot read %s: %v", path, err)
	}
	var out []map[string]string
	for _, fields := range all[1:] {
		row := map[string]string{}
		for i, column := range all[0] {
			row[column] = fields[i]
		}
		out = append(out, row)
	}
	return out
}
