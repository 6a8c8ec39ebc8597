package population

import (
	"strconv"
	"strings"
	"time"
)

// facts writes everything that hangs on the people.
func (t *Town) facts() {
	for _, p := range t.all {
		t.row("residents.csv", p.ref, p.town.code, p.family.kanji, p.given.kanji, p.family.kana, p.given.kana,
			p.family.latin, p.given.latin, day(p.born), strconv.Itoa(int(p.sex)), p.postal, p.address, day(p.since))
	}
	for _, h := range t.homes {
		for _, p := range h.members {
			t.row("households.csv", h.ref, h.town.code, p.ref, string(p.relation), day(later(h.since, p.born)))
		}
		t.coverage(h)
	}
	for _, p := range t.all {
		t.birth(p)
		t.income(p)
		t.formerCoverage(p)
		t.vaccinations(p)
	}
	t.protections()
	t.benefitFacts()
	t.childcare()
	t.checkups()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// birth writes those born in the year before the reference day.
func (t *Town) birth(p *person) {
	if p.born.Before(t.asOf.AddDate(-1, 0, 0)) || !p.left.IsZero() {
		return
	}
	registered := p.born.AddDate(0, 0, t.rng.between(2, 14)) // 戸籍法 第49条: within 14 days
	if registered.After(t.asOf) {
		registered = t.asOf
	}
	t.row("births.csv", p.ref, p.town.code, day(p.born), day(registered))
}

// firstIncomeYear is the oldest of which a benefit for a past month asks.
const firstIncomeYear = 2024

// income writes the tax years of everybody who was of age and a resident on its 1 January:
// two, and of a parent those of which benefits ask, too. What a parent had before moving
// here was asked of the place where they lived.
func (t *Town) income(p *person) {
	first, raises := t.asOf.Year()-1, p.raises()
	if raises {
		first = min(first-1, firstIncomeYear)
	}
	for year := first; year <= t.asOf.Year(); year++ {
		assessed := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
		if p.age(assessed) < 20 || assessed.Before(p.since) && !raises || !p.left.IsZero() && p.left.Before(assessed) {
			continue
		}
		dependants := t.dependants(p, assessed)
		yen := t.yen(p, assessed)
		limit := 450_000
		if dependants > 0 {
			limit = 350_000*(dependants+1) + 310_000
		}
		exempt := yen <= limit
		tax := 0
		if !exempt {
			tax = 5_000 + max(0, yen-430_000-330_000*dependants)/10_000*1_000
		}
		t.row("income.csv", p.ref, p.town.code, strconv.Itoa(year), strconv.Itoa(yen), strconv.Itoa(tax),
			strconv.Itoa(dependants), strconv.FormatBool(exempt))
	}
}

// raises tells whether p is a parent of children in their household.
func (p *person) raises() bool {
	return p.home != nil && p.left.IsZero() && (p.relation == head || p.relation == spouse) && p.home.hasChild()
}

func (t *Town) dependants(p *person, on time.Time) int {
	if p.home == nil || p.relation != head {
		return 0
	}
	n := 0
	for _, other := range p.home.members {
		if other.relation == child && other.age(on) < 20 && other.born.Before(on) {
			n++
		}
	}
	return n
}

// yen gives the income of a year in whole thousands.
func (t *Town) yen(p *person, on time.Time) int {
	r := t.rng
	if yen, known := t.Cast.earns(p); known {
		return yen
	}
	switch age := p.age(on); {
	case age >= 65:
		return 1000 * r.between(0, 2_400)
	case age < 23 || p.relation == spouse && r.chance(45):
		return 1000 * r.between(0, 1_100)
	case r.chance(8):
		return 1000 * r.between(0, 400)
	}
	return 1000 * r.between(1_200, 7_800)
}

// cover is one insurance relation of a whole household.
type cover struct {
	insurer, name, symbol, number string
	employees                     bool
	from, to                      time.Time
}

var employers = []struct{ insurer, name string }{
	{withInsuranceCheck("0147991"), "架空県健康保険協会"},
	{withInsuranceCheck("0647993"), "みなと造船健康保険組合"},
	{withInsuranceCheck("0647994"), "架空電機健康保険組合"},
}

var elderly = struct{ insurer, name string }{withInsuranceCheck("3947999"), "架空県後期高齢者医療広域連合"}

// coverage writes who insures the members of a household, with what was before for those
// who changed.
func (t *Town) coverage(h *household) {
	now := t.cover(h)
	now.from = later(h.since, t.asOf.AddDate(-t.rng.between(1, 6), -t.rng.below(12), 0))
	if t.changes(h) {
		before := t.cover(h)
		before.from, now.from = h.since, t.ago(20, 300)
		before.to = now.from.AddDate(0, 0, -1)
		t.cards(h, before)
	}
	t.cards(h, now)
}

// changes tells whether the household changed its insurer in the last year.
func (t *Town) changes(h *household) bool {
	settled := h.since.Before(t.asOf.AddDate(-1, 0, 0))
	return h == t.Cast.changed || h != t.Cast.kokuho && settled && h.members[0].age(t.asOf) < 65 && t.rng.chance(5)
}

// nextSerial gives the next insurance number: seven digits that stand nowhere else, so
// that a search for them in a log finds nothing by chance.
func (t *Town) nextSerial() int {
	if t.serial == 0 {
		t.serial = 4_100_000
	}
	t.serial += t.rng.between(1, 19)
	return t.serial
}

func (t *Town) cover(h *household) cover {
	serial := t.nextSerial()
	first := h.members[0]
	if h == t.Cast.kokuho || first.age(t.asOf) >= 65 || t.rng.chance(35) {
		return cover{insurer: h.town.insurer, name: h.town.name + "国民健康保険", symbol: h.town.symbol, number: numbered("", 7, serial)}
	}
	e := pick(t.rng, employers)
	width := 4
	if strings.HasPrefix(e.insurer, "01") {
		width = 8 // 協会けんぽ: symbols of 7 or 8 digits
	}
	return cover{insurer: e.insurer, name: e.name, symbol: numbered("", width, t.rng.between(1, 9999)),
		number: strconv.Itoa(serial), employees: true}
}

// cards writes one coverage row for each member; people of 75 and over have their own
// scheme without a symbol.
func (t *Town) cards(h *household, c cover) {
	for i, p := range h.members {
		from := later(c.from, p.born)
		if !c.to.IsZero() && c.to.Before(from) {
			continue
		}
		if p.age(t.asOf) >= 75 {
			t.elderlyCard(p, c)
			continue
		}
		kind := "insured"
		if c.employees && i > 0 {
			kind = "dependant"
		}
		t.row("coverage.csv", p.ref, p.town.code, "registry", c.insurer, c.name, c.symbol, c.number,
			numbered("", 2, i), day(from), day(c.to), strconv.Itoa(t.copayment(p)), kind)
	}
}

func (t *Town) elderlyCard(p *person, c cover) {
	if !c.to.IsZero() {
		return
	}
	share := 10
	if t.rng.chance(20) {
		share = 20
	} else if t.rng.chance(8) {
		share = 30
	}
	from := later(p.born.AddDate(75, 0, 0), p.since)
	t.row("coverage.csv", p.ref, p.town.code, "registry", elderly.insurer, elderly.name, "",
		withInsuranceCheck(numbered("", 7, t.nextSerial())), "", day(from), "", strconv.Itoa(share), "insured")
}

// copayment gives the share by age: 20 percent until the 31 March after the sixth
// birthday and from 70 to 74, 30 percent between.
func (t *Town) copayment(p *person) int {
	if age := p.age(t.asOf); age >= 70 || t.asOf.Before(schoolAge(p.born)) {
		return 20
	}
	return 30
}

func schoolAge(born time.Time) time.Time {
	sixth := born.AddDate(6, 0, 0)
	april := time.Date(sixth.Year(), time.April, 1, 0, 0, 0, 0, time.UTC)
	if sixth.After(april) {
		april = april.AddDate(1, 0, 0)
	}
	return april
}

// formerCoverage writes the ended coverage of those who left.
func (t *Town) formerCoverage(p *person) {
	if p.left.IsZero() {
		return
	}
	t.row("coverage.csv", p.ref, p.town.code, "registry", p.town.insurer, p.town.name+"国民健康保険", p.town.symbol,
		numbered("", 7, t.nextSerial()), "00", day(p.since), day(p.left), strconv.Itoa(t.copayment(p)), "insured")
}

type product struct{ cvx, name, maker, lot string }

// Vaccines by CVX code; the lots are invented.
var (
	pfizer      = product{"208", "コミナティ筋注", "ファイザー", "PX"}
	moderna     = product{"207", "スパイクバックス筋注", "モデルナ", "MX"}
	novavax     = product{"211", "ヌバキソビッド筋注", "武田薬品工業", "NX"}
	pfizerChild = product{"218", "コミナティ筋注5～11歳用", "ファイザー", "PC"}
)

// vaccinations writes the doses of one human. Who moved between the two municipalities
// has the earlier doses under the earlier row, and some doses were given at a place of
// the other municipality.
func (t *Town) vaccinations(p *person) {
	if t.isEarlier(p) || p == t.Cast.unvaccinated {
		return // an earlier row's doses are written with the later row
	}
	doses := t.doses(p)
	first := time.Date(2021, time.June, 1, 0, 0, 0, 0, time.UTC)
	if p.age(first) < 12 {
		first = later(p.born.AddDate(5, 1, 0), time.Date(2022, time.March, 1, 0, 0, 0, 0, time.UTC))
	}
	on := first.AddDate(0, 0, t.rng.between(0, 110))
	if p == t.Cast.moved {
		on = first.AddDate(0, 1, 0) // two doses before the move, the third after it
	}
	for n := 1; n <= doses && on.Before(t.asOf); n++ {
		t.dose(p, n, on)
		if n == 1 {
			on = on.AddDate(0, 0, t.rng.between(21, 35))
		} else {
			on = on.AddDate(0, t.rng.between(4, 8), t.rng.between(0, 27))
		}
	}
}

func (t *Town) isEarlier(p *person) bool { return !p.left.IsZero() && t.earlier[p] }

func (t *Town) doses(p *person) int {
	if p == t.Cast.parent || p == t.Cast.child || p == t.Cast.single || p == t.Cast.moved {
		return 3
	}
	if p.age(t.asOf) < 6 || t.rng.chance(17) {
		return 0
	}
	return t.rng.between(1, 5)
}

func (t *Town) dose(p *person, n int, on time.Time) {
	row := p
	if p.earlier != nil && on.Before(p.since) {
		row = p.earlier
	}
	if !row.left.IsZero() && on.After(row.left) {
		return
	}
	v := pick(t.rng, []product{pfizer, pfizer, pfizer, moderna, moderna, novavax})
	if p.age(on) < 12 {
		v = pfizerChild
	}
	place := row.town
	if t.rng.chance(8) {
		place = row.town.other(t)
	}
	performer := place.name + pick(t.rng, []string{"集団接種会場", "内科クリニック", "保健センター"})
	lot := v.lot + numbered("", 4, t.rng.between(1, 9999))
	if t.inBundle(p, row, n) {
		t.shot(p, n, v, lot, on, performer)
		return
	}
	t.records++
	t.row("vaccinations.csv", numbered("V", 6, t.records), row.ref, row.town.code, v.cvx, v.name, v.maker,
		lot, strconv.Itoa(n), day(on), performer, "JPN")
}
