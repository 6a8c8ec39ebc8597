// Package coverage is what the practice answerers know of insurance: the synthetic people
// and their coverage, read from the import files of a population.
//
// It promises to decide as an insurer's register does, for any day, past ones too, and to
// do so from the files alone: it shares no code with the programs that it is practised on.
package coverage

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// MaxFileBytes is the largest import file that is read.
const MaxFileBytes = 64 << 20

// Person is one resident. Days are YYYY-MM-DD throughout.
type Person struct {
	Ref, Municipality       string
	FamilyKanji, GivenKanji string
	FamilyKana, GivenKana   string
	Birth                   string
	Sex                     string // ISO 5218
	Postal, Address         string
}

// Coverage is one line of the register. To is the last day that counts, empty without an end.
type Coverage struct {
	Insurer, InsurerName   string // 6 or 8 digits
	Symbol, Number, Branch string
	From, To               string
	Percent                int
	Insured                bool // the insured person, not a dependant

	person *Person
}

// On tells whether the coverage counts on the day.
func (c *Coverage) On(day string) bool { return c.From <= day && (c.To == "" || day <= c.To) }

// Holder gives the person.
func (c *Coverage) Holder() Person { return *c.person }

// Word is the register's word on one question.
type Word int

// The words.
const (
	Valid   Word = iota + 1 // 有効
	Invalid                 // 無効
	Newer                   // 無効（新しい資格あり）
	None                    // 該当資格なし
	Several                 // 複数該当
)

// Question asks for the coverage of one person on one day. Branch may be empty.
type Question struct{ Insurer, Symbol, Number, Branch, Birth, Day string }

// Register is what the files hold. It is safe for concurrent use.
type Register struct {
	byKey map[string][]*Coverage
	of    map[*Person][]*Coverage
	byRef map[string][]*Person
}

// Load reads residents.csv and coverage.csv in dir. Faults name file and line.
func Load(dir string) (*Register, error) {
	r := &Register{byKey: map[string][]*Coverage{}, of: map[*Person][]*Coverage{}, byRef: map[string][]*Person{}}
	err := table(dir, "residents.csv", func(row map[string]string) error {
		p := &Person{
			Ref: row["resident_ref"], Municipality: row["municipality_code"],
			FamilyKanji: row["family_kanji"], GivenKanji: row["given_kanji"], FamilyKana: row["family_kana"], GivenKana: row["given_kana"],
			Birth: row["birth_date"], Sex: row["sex"], Postal: row["postal_code"], Address: row["address"],
		}
		if p.Ref == "" || !isDay(p.Birth) {
			return errors.New("a resident needs a reference and a birth date")
		}
		r.byRef[p.Ref] = append(r.byRef[p.Ref], p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, table(dir, "coverage.csv", r.cover)
}

func (r *Register) cover(row map[string]string) error {
	i := slices.IndexFunc(r.byRef[row["resident_ref"]], func(p *Person) bool { return p.Municipality == row["municipality_code"] })
	if i < 0 {
		return errors.New("the resident is not there")
	}
	percent, err := strconv.Atoi(row["copayment_percent"])
	if err != nil || !isDay(row["valid_from"]) || row["valid_to"] != "" && !isDay(row["valid_to"]) {
		return errors.New("a share or a day is malformed")
	}
	p := r.byRef[row["resident_ref"]][i]
	c := &Coverage{
		Insurer: row["insurer_number"], InsurerName: row["insurer_name"], Symbol: row["symbol"], Number: row["number"], Branch: row["branch"],
		From: row["valid_from"], To: row["valid_to"], Percent: percent, Insured: row["insured_kind"] == "insured", person: p,
	}
	k := key(c.Insurer, c.Symbol, c.Number)
	r.byKey[k] = append(r.byKey[k], c)
	r.of[p] = append(r.of[p], c)
	return nil
}

func table(dir, name string, take func(map[string]string) error) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("cannot read the people: %w", err)
	}
	defer f.Close()
	rows := csv.NewReader(io.LimitReader(f, MaxFileBytes))
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("cannot read %s: no header", name)
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			return fmt.Errorf("cannot read %s: line %d is no row", name, line)
		}
		fields := make(map[string]string, len(header))
		for i, column := range header {
			fields[column] = row[i]
		}
		if err := take(fields); err != nil {
			return fmt.Errorf("cannot read %s: line %d: %w", name, line, err)
		}
	}
}

// Find gives the word for the day and the coverage that it is about: the asked one, the
// latest where there are several; nil for None and Several.
func (r *Register) Find(q Question) (Word, *Coverage) {
	var about *Coverage
	for _, c := range r.byKey[key(q.Insurer, q.Symbol, q.Number)] {
		switch {
		case c.person.Birth != q.Birth, q.Branch != "" && c.Branch != "" && q.Branch != c.Branch:
			continue
		case about != nil && c.person != about.person:
			return Several, nil
		case about == nil || better(c, about, q.Day):
			about = c
		}
	}
	switch {
	case about == nil:
		return None, nil
	case about.On(q.Day):
		return Valid, about
	case slices.ContainsFunc(r.of[about.person], func(c *Coverage) bool { return c.On(q.Day) }):
		return Newer, about
	}
	return Invalid, about
}

func better(a, b *Coverage, day string) bool {
	if a.On(day) != b.On(day) {
		return a.On(day)
	}
	return a.From > b.From
}

// Of gives the coverage that a resident's card leads to on the day: the one that counts,
// else the latest. The municipality may be empty where the reference is in one alone.
func (r *Register) Of(ref, municipality, day string) (*Coverage, bool) {
	var found *Coverage
	for _, p := range r.byRef[ref] {
		if municipality != "" && p.Municipality != municipality {
			continue
		}
		for _, c := range r.of[p] {
			if found == nil || better(c, found, day) {
				found = c
			}
		}
	}
	return found, found != nil
}

// All gives every coverage that counts on the day, in order of reference.
func (r *Register) All(day string) []*Coverage {
	var out []*Coverage
	for _, all := range r.of {
		for _, c := range all {
			if c.On(day) {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Coverage) int {
		return strings.Compare(a.person.Municipality+a.person.Ref+a.From+a.Insurer, b.person.Municipality+b.person.Ref+b.From+b.Insurer)
	})
	return out
}

func isDay(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }

// key is the form in which numbers are compared: one width, one case, no blanks, no dashes,
// and the insurer without what pads it.
func key(insurer, symbol, number string) string {
	insurer = bare(insurer)
	if len(insurer) == 8 && strings.HasPrefix(insurer, "00") {
		insurer = insurer[2:]
	}
	return insurer + "|" + bare(symbol) + "|" + bare(number)
}

func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune("-‐−–—ー", r) {
			return -1
		}
		return r
	}, strings.ToUpper(norm.NFKC.String(s)))
}
