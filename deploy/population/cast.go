package population

import (
	"maps"
	"strings"
	"time"

	"madoguchi.example/deploy/practice/people"
)

// The subs of the people whom demonstrations use.
const (
	SubParent       = "c-parent"
	SubSingle       = "c-single"
	SubElder        = "c-elder"
	SubAmbiguous    = "c-twice"
	SubNobody       = "c-nobody"
	SubUnvaccinated = "c-unvaccinated"
	SubNeighbour    = "c-yamanobe"
	SubMoved        = "c-moved"
)

// Part is one person of the cast. ResidentRef is empty for who is no resident.
type Part struct {
	Sub              string `json:"sub"`
	Words            string `json:"words"`
	MunicipalityCode string `json:"municipality_code"`
	ResidentRef      string `json:"resident_ref"`
	Name             string `json:"name"`
	NameKana         string `json:"name_kana"`
	NameLatin        string `json:"name_latin"`
	BirthDate        string `json:"birth_date"`
	Address          string `json:"address"`
	// MRZ is what stands at the foot of their passport's page.
	MRZ [2]string `json:"mrz,omitzero"`
}

// Card is what stands on a person's proof of insurance, and what the payer knows.
type Card struct {
	Part
	InsurerNumber string `json:"insurer_number"`
	Symbol        string `json:"symbol"`
	Number        string `json:"number"`
	Branch        string `json:"branch"`
	ValidFrom     string `json:"valid_from"`
	ValidTo       string `json:"valid_to"` // empty: no end is known
	Copayment     string `json:"copayment_percent"`
	Expect        string `json:"expect"` // the payer's word on the reference day
}

// Cast names who plays which part in a demonstration. It is written to cast.json, which
// no import reads.
type Cast struct {
	Parent       Part `json:"parent"`       // two children; vaccinated, as is the elder child
	Child        Part `json:"child"`        // the parent's elder child
	Single       Part `json:"single"`       // lives alone, vaccinated, a name that is hard to set
	Elder        Part `json:"elder"`        // 80 years, late-stage elderly scheme
	Ambiguous    Part `json:"ambiguous"`    // registered twice
	Nobody       Part `json:"nobody"`       // no resident at all
	Unvaccinated Part `json:"unvaccinated"` // a resident without a record
	Neighbour    Part `json:"neighbour"`    // lives in the other municipality
	Moved        Part `json:"moved"`        // has doses of both municipalities, one in the bundle of FHIR

	Insured Card `json:"insured"` // valid coverage of the municipality's own insurer
	Aged    Card `json:"aged"`    // valid coverage without a symbol
	Changed Card `json:"changed"` // an old card; newer coverage exists

	Families

	families
	parent, child, single, elder, twice, unvaccinated, neighbour, moved *person
	kokuho, changed                                                     *household
}

// signIn is one entry of practice-people.json.
type signIn struct {
	sub, label, name, address string
	staff                     bool
	born                      time.Time
	sex                       sex
}

// castHouseholds makes the households of the cast, the same for every seed but for what
// chance adds.
func (t *Town) castHouseholds() {
	minato, yamanobe := t.municipalities[0], t.municipalities[1]
	c := &t.Cast
	h := t.family(minato, part{"佐藤", "サトウ", "SATO"}, false,
		member{head, 38, female}, member{spouse, 40, male}, member{child, 11, female}, member{child, 0, male})
	h.members[0].given, h.members[2].given = part{"恵", "メグミ", "MEGUMI"}, part{"凛", "リン", "RIN"}
	h.members[3].born = t.asOf.AddDate(0, 0, -40) // a newborn
	h.members[3].since = h.members[3].born
	c.parent, c.child, c.kokuho = h.members[0], h.members[2], h

	h = t.family(minato, part{"髙橋﨑", "タカハシザキ", "TAKAHASHIZAKI"}, false, member{head, 29, male})
	h.members[0].given = part{"ヴァシリエヴィチ", "ヴァシリエヴィチ", "VASILEVICH"}
	c.single = h.members[0]

	h = t.family(minato, part{"五百旗頭", "イオキベ", "IOKIBE"}, false, member{head, 80, female})
	c.elder = h.members[0]

	h = t.family(minato, part{"二重", "フタエ", "FUTAE"}, false, member{head, 45, male})
	c.twice = h.members[0]
	t.again(c.twice)

	h = t.family(minato, part{"小鳥遊", "タカナシ", "TAKANASHI"}, false, member{head, 33, female})
	c.unvaccinated = h.members[0]

	c.changed = t.family(minato, part{"山﨑", "ヤマザキ", "YAMAZAKI"}, false, member{head, 35, male})

	h = t.family(yamanobe, part{"𠮷田", "ヨシダ", "YOSHIDA"}, false, member{head, 52, male}, member{spouse, 50, female})
	c.neighbour = h.members[0]

	t.castFamilies()

	moved := t.family(yamanobe, part{"渡邉", "ワタナベ", "WATANABE"}, false,
		member{head, 44, male}, member{spouse, 42, female}, member{child, 13, male})
	t.movedFromOther(moved, time.Date(2021, time.October, 15, 0, 0, 0, 0, time.UTC))
	c.moved = moved.members[0]
}

// again registers p a second time, under another reference, alone at the same address.
func (t *Town) again(p *person) {
	p.town.households++
	h := &household{ref: numbered("H", 6, p.town.households), town: p.town, since: p.since}
	second := *p
	second.home = h
	t.homes = append(t.homes, h)
	h.members = []*person{t.add(&second)}
}

// people fills the cast's public part and practice-people.json.
func (t *Town) people() {
	c := &t.Cast
	c.Parent = t.part(SubParent, "親（11歳と0歳の子がいる）", c.parent)
	c.Child = t.part("", "11歳の子", c.child)
	c.Single = t.part(SubSingle, "ひとり暮らし（名前が長い）", c.single)
	c.Elder = t.part(SubElder, "80歳", c.elder)
	c.Ambiguous = t.part(SubAmbiguous, "住民登録が二重にある人", c.twice)
	c.Unvaccinated = t.part(SubUnvaccinated, "接種記録のない人", c.unvaccinated)
	c.Neighbour = t.part(SubNeighbour, "となりの町の人", c.neighbour)
	c.Moved = t.part(SubMoved, "となりの市から引っ越してきた人（両方の記録がある）", c.moved)
	c.Insured = t.card(c.Parent, c.parent, "valid")
	c.Aged = t.card(c.Elder, c.elder, "valid")
	c.Changed = t.card(t.part("", "勤め先が変わった人（古い番号）", c.changed.members[0]), c.changed.members[0], "newer_coverage")
	c.Nobody = t.nobody()

	subs := map[*person]Part{c.parent: c.Parent, c.single: c.Single, c.elder: c.Elder, c.twice: c.Ambiguous,
		c.unvaccinated: c.Unvaccinated, c.neighbour: c.Neighbour, c.moved: c.Moved}
	maps.Copy(subs, c.parts(t))
	for _, p := range t.all { // the cast stands first in the list
		if part, cast := subs[p]; cast {
			t.signIn(p, part.Sub, "★"+part.Words)
		}
	}
	for _, p := range t.all {
		if _, cast := subs[p]; cast || !p.left.IsZero() || p.age(t.asOf) < 15 {
			continue
		}
		t.signIn(p, "c-"+p.town.key+"-"+strings.ToLower(p.ref), p.town.name)
	}
}

func (t *Town) part(sub, words string, p *person) Part {
	t.passports++
	return Part{Sub: sub, Words: words, MunicipalityCode: p.town.code, ResidentRef: p.ref, Name: p.kanji(),
		MRZ:      p.passport(1_000_000+37*t.passports, t.asOf),
		NameKana: p.family.kana + " " + p.given.kana, NameLatin: p.given.latin + " " + p.family.latin,
		BirthDate: day(p.born), Address: p.address}
}

// nobody is a card holder who lives nowhere in the cell's registers.
func (t *Town) nobody() Part {
	born := time.Date(1990, time.May, 5, 0, 0, 0, 0, time.UTC)
	m := t.municipalities[0]
	p := Part{Sub: SubNobody, Words: "どこにも登録のない人", Name: "旅野 歩", NameKana: "タビノ アユム", NameLatin: "AYUMU TABINO",
		BirthDate: day(born), Address: "架空県" + m.name + m.quarters[0] + "9丁目99番9号"}
	t.signIns = append(t.signIns, signIn{sub: p.Sub, label: "★" + p.Words, name: p.Name, address: p.Address, born: born, sex: male})
	return p
}

// card gives the oldest coverage row of the person.
func (t *Town) card(part Part, p *person, expect string) Card {
	for _, row := range t.rows["coverage.csv"] {
		if row[0] == p.ref && row[1] == p.town.code {
			return Card{Part: part, InsurerNumber: row[3], Symbol: row[5], Number: row[6], Branch: row[7],
				ValidFrom: row[8], ValidTo: row[9], Copayment: row[10], Expect: expect}
		}
	}
	return Card{Part: part, Expect: expect}
}

// signIn lets a resident sign in. One in seven has a card that writes digits and blanks
// in full width, as cards do.
func (t *Town) signIn(p *person, sub, label string) {
	name, address := p.kanji(), p.address
	if t.rng.below(7) == 0 {
		name, address = wide.Replace(name), wide.Replace(address)
	}
	t.signIns = append(t.signIns, signIn{sub: sub, label: label, name: name, address: address, born: p.born, sex: p.sex})
}

// People gives the content of practice-people.json.
func (t *Town) People() []people.Person {
	var out []people.Person
	for _, s := range t.signIns {
		kind := people.Citizen
		if s.staff {
			kind = people.Staff
		}
		out = append(out, people.Person{Sub: s.sub, Label: s.label, Client: kind, Name: s.name, Address: s.address,
			BirthDate: day(s.born), Gender: s.sex.gender()})
	}
	return out
}
