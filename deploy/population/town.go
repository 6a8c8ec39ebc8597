// Package population makes synthetic residents of two invented municipalities of one cell,
// as the import files that madoguchi-backend reads.
//
// It promises: the same seed, size and reference day give the same bytes; residents.csv
// has exactly the asked number of rows; every living resident stands in exactly one
// household and every household has exactly one head; all check digits are right; no
// field of any file holds twelve digits in a row, so that nothing looks like a My Number;
// nobody is a real person. The municipalities, their prefecture, insurers and clinics do
// not exist: their numbers come from ranges that nobody uses.
package population

import (
	"fmt"
	"strings"
	"time"
)

// Japan is +09:00.
var Japan = time.FixedZone("JST", 9*60*60)

// Smallest and largest populations.
const (
	MinResidents = 80
	MaxResidents = 150_000
)

// sex is ISO/IEC 5218.
type sex int

const (
	male   sex = 1
	female sex = 2
)

func (s sex) gender() string {
	if s == male {
		return "male"
	}
	return "female"
}

// relation is a place in a household.
type relation string

const (
	head   relation = "head"
	spouse relation = "spouse"
	child  relation = "child"
	parent relation = "parent"
)

// person is one row of residents.csv and all that hangs on it.
type person struct {
	ref      string
	town     *municipality
	family   part
	given    part
	born     time.Time
	sex      sex
	postal   string
	address  string
	since    time.Time
	left     time.Time // moved out or died; zero while resident
	relation relation
	home     *household
	earlier  *person // the same human's row in the other municipality, before the move
}

func (p *person) age(on time.Time) int {
	age := on.Year() - p.born.Year()
	if on.Month() < p.born.Month() || on.Month() == p.born.Month() && on.Day() < p.born.Day() {
		age--
	}
	return age
}

func (p *person) kanji() string { return p.family.kanji + " " + p.given.kanji }

type household struct {
	ref     string
	town    *municipality
	since   time.Time
	members []*person
}

// municipality is one of the two invented ones.
type municipality struct {
	code, name, easy, latin string
	key                     string // stands in references and subs
	quarters                []string
	postal                  string
	insurer                 string // 国保, 6 digits
	symbol                  string // of its 国保 certificates
	homes                   int
	persons                 int
	households              int
}

func (m *municipality) other(t *Town) *municipality {
	if t.municipalities[0] == m {
		return t.municipalities[1]
	}
	return t.municipalities[0]
}

// Town is a generated population: the rows of every import file, the people who can sign
// in, and the cast that demonstrations use.
type Town struct {
	AsOf string // YYYY-MM-DD
	Cast Cast

	rng            *rng
	asOf           time.Time
	want           int
	municipalities []*municipality
	all            []*person
	homes          []*household
	rows           map[string][][]string
	signIns        []signIn
	earlier        map[*person]bool // rows that a move into the other municipality ended
	serial         int              // insurance numbers
	records        int              // vaccination records
	passports      int
	bundle         []object // of FHIR
	patients       map[*person]bool
}

// Generate makes residents rows of residents.csv for the reference day asOf (YYYY-MM-DD).
func Generate(seed uint64, residents int, asOf string) (*Town, error) {
	if residents < MinResidents || residents > MaxResidents {
		return nil, fmt.Errorf("cannot make %d residents: between %d and %d are possible", residents, MinResidents, MaxResidents)
	}
	day, err := time.Parse(time.DateOnly, asOf)
	if err != nil || day.Year() < 2024 || day.Year() > 2100 {
		return nil, fmt.Errorf("cannot take the reference day: it must be YYYY-MM-DD from 2024 on")
	}
	t := &Town{AsOf: asOf, rng: &rng{seed}, asOf: day, want: residents, rows: map[string][][]string{}, earlier: map[*person]bool{}}
	t.municipalities = []*municipality{
		{code: withMunicipalityCheck("99001"), name: "みなと市", easy: "みなと市", latin: "Minato-shi", key: "minato",
			quarters: []string{"本町", "港町", "栄町", "緑が丘", "汐見台", "浜松原"}, postal: "000-01",
			insurer: withInsuranceCheck("47991"), symbol: "みな"},
		{code: withMunicipalityCheck("99002"), name: "やまのべ町", easy: "やまのべ町", latin: "Yamanobe-machi", key: "yamanobe",
			quarters: []string{"上山", "下山", "川原", "大沢", "日向"}, postal: "000-02",
			insurer: withInsuranceCheck("47992"), symbol: "やま"},
	}
	t.places()
	t.castHouseholds()
	for len(t.all) < t.want {
		t.randomHousehold()
	}
	t.facts()
	t.people()
	return t, nil
}

// ago gives a day between low and high days before the reference day.
func (t *Town) ago(low, high int) time.Time { return t.asOf.AddDate(0, 0, -t.rng.between(low, high)) }

// bornAt gives a birthday for somebody who is age years old on the reference day.
func (t *Town) bornAt(age int) time.Time { return t.asOf.AddDate(-age, 0, -t.rng.between(1, 360)) }

// home opens a household at an address of its own.
func (t *Town) home(m *municipality) (*household, string, string) {
	m.households++
	h := &household{ref: numbered("H", 6, m.households), town: m}
	t.homes = append(t.homes, h)
	address, postal := t.address(m)
	return h, address, postal
}

// address gives an address that no other household has.
func (t *Town) address(m *municipality) (address, postal string) {
	n := m.homes
	m.homes++
	q := n % len(m.quarters)
	n /= len(m.quarters)
	address = fmt.Sprintf("架空県%s%s%d丁目%d番%d号", m.name, m.quarters[q], n%5+1, n/5%30+1, n/150+1)
	return address, m.postal + fmt.Sprintf("%02d", q+1)
}

// add puts a person with the next reference of the municipality into the population.
func (t *Town) add(p *person) *person {
	p.town.persons++
	p.ref = numbered("R", 6, p.town.persons)
	t.all = append(t.all, p)
	return p
}

// member describes one person of a household that is to be made.
type member struct {
	relation relation
	age      int
	sex      sex
}

// family makes a household with the given members, the head first.
func (t *Town) family(m *municipality, name part, foreign bool, members ...member) *household {
	h, address, postal := t.home(m)
	h.since = t.ago(400, 9000)
	taken := map[string]bool{}
	for _, one := range members {
		p := &person{town: m, family: name, given: t.rng.given(one.sex, one.age, foreign, taken), sex: one.sex,
			born: t.bornAt(one.age), address: address, postal: postal, relation: one.relation, home: h}
		p.since = h.since
		if p.born.After(p.since) {
			p.since = p.born
		}
		h.members = append(h.members, t.add(p))
	}
	return h
}

// randomHousehold adds one household that fits into what is still wanted.
func (t *Town) randomHousehold() {
	r := t.rng
	m := t.municipalities[0]
	if r.chance(40) {
		m = t.municipalities[1]
	}
	name, foreign := r.family()
	members := t.randomMembers()
	room := t.want - len(t.all)
	if len(members) > room {
		members = members[:room]
	}
	h := t.family(m, name, foreign, members...)
	room = t.want - len(t.all)
	switch {
	case r.chance(4) && room >= len(h.members):
		t.movedFromOther(h, t.ago(60, 1900))
	case r.chance(3) && room >= 1:
		t.former(h, name, r.between(76, 96), "died")
	case r.chance(4) && room >= 1:
		t.former(h, name, r.between(19, 24), "out")
	case r.chance(6):
		t.movedHere(h)
	case r.chance(5):
		t.movedWithin(h)
	}
}

func (t *Town) randomMembers() []member {
	r := t.rng
	first, second := male, female
	if r.chance(30) {
		first, second = female, male
	}
	switch n := r.below(100); {
	case n < 26:
		return []member{{head, r.between(19, 59), first}}
	case n < 38:
		return []member{{head, r.between(66, 97), first}}
	case n < 58:
		age := r.between(28, 88)
		return []member{{head, age, first}, {spouse, max(20, age-r.between(-4, 6)), second}}
	case n < 66:
		age := r.between(25, 48)
		return append([]member{{head, age, female}}, t.children(age)...)
	case n < 92:
		age := r.between(25, 50)
		return append([]member{{head, age, first}, {spouse, max(21, age-r.between(-3, 5)), second}}, t.children(age)...)
	}
	age := r.between(32, 52)
	family := []member{{head, age, first}, {spouse, max(22, age-r.between(-3, 5)), second}}
	family = append(family, t.children(age)...)
	return append(family, member{parent, age + r.between(24, 32), second})
}

// children gives one to three children whose ages fit a parent of this age.
func (t *Town) children(age int) []member {
	var out []member
	for range 1 + t.rng.below(3) {
		s := male
		if t.rng.chance(50) {
			s = female
		}
		out = append(out, member{child, t.rng.between(max(0, age-42), max(0, min(17, age-22))), s})
	}
	return out
}

// movedFromOther gives every member an earlier row in the other municipality, which the
// household left for this one on that day.
func (t *Town) movedFromOther(h *household, day time.Time) {
	from := h.town.other(t)
	address, postal := t.address(from)
	for _, p := range h.members {
		if p.born.After(day) {
			continue
		}
		old := *p
		old.town, old.address, old.postal, old.home, old.left, old.earlier = from, address, postal, nil, day, nil
		old.since = later(p.born, day.AddDate(-t.rng.between(1, 8), 0, 0))
		p.earlier = t.add(&old)
		t.earlier[p.earlier] = true
		p.since = day
		t.move(p.earlier, "out", day, h.town.code)
		t.move(p, "in", day, from.code)
	}
	h.since = day
}

// former adds somebody who lived in the household and does not any more.
func (t *Town) former(h *household, name part, age int, how string) {
	s := male
	if t.rng.chance(50) {
		s = female
	}
	taken := map[string]bool{}
	for _, p := range h.members {
		taken[p.given.kanji] = true
	}
	p := t.add(&person{town: h.town, family: name, given: t.rng.given(s, age, false, taken), sex: s, born: t.bornAt(age),
		address: h.members[0].address, postal: h.members[0].postal, left: t.ago(20, 380)})
	p.since = later(h.since, p.born)
	if how == "out" {
		t.move(p, "out", p.left, "")
		return
	}
	t.row("deaths.csv", p.ref, p.town.code, day(p.left), day(p.left.AddDate(0, 0, t.rng.between(1, 7))))
}

// movedHere lets the household have come from a place outside the cell.
func (t *Town) movedHere(h *household) {
	day := t.ago(10, 390)
	for _, p := range h.members {
		if p.born.Before(day) {
			p.since = day
			t.move(p, "in", day, "")
		}
	}
	h.since = day
}

// movedWithin lets the household have changed its address inside the municipality.
func (t *Town) movedWithin(h *household) {
	day := t.ago(10, 390)
	for _, p := range h.members {
		if p.born.Before(day) {
			t.move(p, "within", day, "")
		}
	}
	h.since = day
}

func (t *Town) move(p *person, kind string, on time.Time, other string) {
	t.row("moves.csv", p.ref, p.town.code, kind, day(on), other)
}

// row adds one row to an import file.
func (t *Town) row(file string, fields ...string) { t.rows[file] = append(t.rows[file], fields) }

func day(d time.Time) string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// wide writes ASCII digits and blanks in full width, as some cards do.
var wide = strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４",
	"5", "５", "6", "６", "7", "７", "8", "８", "9", "９", " ", "　")
