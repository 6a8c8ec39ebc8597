package population

import (
	"strconv"
	"time"
)

// The subs of those who answer for their families in demonstrations of benefits and of
// child support.
const (
	SubLastMinute = "c-lastminute"
	SubTooLate    = "c-toolate"
	SubLetter     = "c-letter"
	SubProtected  = "c-protected"
	SubOffered    = "c-offered"
	SubUnclaimed  = "c-unclaimed"
	SubTwins      = "c-twins"
	SubLeapDay    = "c-leapday"
	SubFirstDay   = "c-firstday"
	SubServant    = "c-servant"
	SubUnasked    = "c-unasked"
)

// Families names who plays which part in the journeys of benefits and of child support.
// Each is the person to whom a benefit is paid: the parent with the higher income.
type Families struct {
	LastMinute Part `json:"last_minute"` // refuses in the last minute
	TooLate    Part `json:"too_late"`    // refuses a minute late
	Letter     Part `json:"letter"`      // has no phone and says nothing
	Protected  Part `json:"protected"`   // must not be contacted; the younger child missed two check-ups
	Offered    Part `json:"offered"`     // the child missed two check-ups, and nobody has called since
	Unclaimed  Part `json:"unclaimed"`   // the child is in a kindergarten, and the grant was not claimed
	Twins      Part `json:"twins"`
	LeapDay    Part `json:"leap_day"`  // the child was born on 29 February
	FirstDay   Part `json:"first_day"` // the child was born on the 1st of a month
	Servant    Part `json:"servant"`   // a public servant: the workplace pays
	Unasked    Part `json:"unasked"`   // it is not known whether the workplace pays

	// The children of whom the sources of child support tell.
	ProtectedChild Part `json:"protected_child"`
	OfferedChild   Part `json:"offered_child"`
	UnclaimedChild Part `json:"unclaimed_child"`
}

// families are the people behind Families.
type families struct {
	lastMinute, tooLate, letter, protected, offered, unclaimed, twins, leapDay, firstDay, servant, unasked *person
	protectedChild, offeredChild, unclaimedChild                                                           *person
}

// castFamilies makes the households of Families. The children are of an age at which the
// benefits and check-ups in question concern them, whatever the reference day.
func (t *Town) castFamilies() {
	m, f := t.municipalities[0], &t.Cast.families
	paid := func(name part, members ...member) (*person, *household) {
		h := t.family(m, name, false, members...)
		return h.members[0], h
	}
	var h *household
	f.lastMinute, _ = paid(part{"東雲", "シノノメ", "SHINONOME"}, member{head, 37, male}, member{spouse, 36, female}, member{child, 9, female})
	f.tooLate, _ = paid(part{"八重樫", "ヤエガシ", "YAEGASHI"}, member{head, 41, female}, member{child, 10, male})
	f.letter, _ = paid(part{"仲程", "ナカホド", "NAKAHODO"}, member{head, 47, male}, member{spouse, 44, female}, member{child, 11, male})
	f.protected, h = paid(part{"朝比奈", "アサヒナ", "ASAHINA"}, member{head, 32, female}, member{child, 8, male}, member{child, 1, female})
	f.protectedChild = t.bornOn(h.members[2], t.asOf.AddDate(0, -20, -3))
	f.offered, h = paid(part{"百瀬", "モモセ", "MOMOSE"}, member{head, 29, female}, member{spouse, 31, male}, member{child, 1, male})
	f.offeredChild = t.bornOn(h.members[2], t.asOf.AddDate(0, -20, -9))
	f.unclaimed, h = paid(part{"一ノ瀬", "イチノセ", "ICHINOSE"}, member{head, 36, male}, member{spouse, 35, female}, member{child, 5, female})
	f.unclaimedChild = t.bornOn(h.members[2], time.Date(fiscalYear(t.asOf)-5, time.October, 10, 0, 0, 0, 0, time.UTC))
	h = t.family(m, part{"双葉", "フタバ", "FUTABA"}, false, member{head, 39, male}, member{spouse, 38, female},
		member{child, 8, female}, member{child, 8, female})
	t.bornOn(h.members[3], h.members[2].born)
	f.twins = h.members[1] // the spouse earns more
	f.leapDay, h = paid(part{"月見里", "ヤマナシ", "YAMANASHI"}, member{head, 34, female}, member{child, 7, male})
	t.bornOn(h.members[1], leapDay(t.asOf))
	f.firstDay, h = paid(part{"八月朔日", "ホズミ", "HOZUMI"}, member{head, 40, male}, member{child, 9, female})
	t.bornOn(h.members[1], time.Date(t.asOf.Year()-9, time.August, 1, 0, 0, 0, 0, time.UTC))
	f.servant, _ = paid(part{"官野", "カンノ", "KANNO"}, member{head, 43, female}, member{spouse, 45, male}, member{child, 12, male})
	f.unasked, _ = paid(part{"不破", "フワ", "FUWA"}, member{head, 38, male}, member{spouse, 37, female}, member{child, 6, female})
}

// bornOn gives p another birthday.
func (t *Town) bornOn(p *person, day time.Time) *person {
	p.born = day
	p.since = later(p.home.since, day)
	return p
}

// fiscalYear gives the year in which the fiscal year of the day began.
func fiscalYear(on time.Time) int {
	if on.Month() < time.April {
		return on.Year() - 1
	}
	return on.Year()
}

// leapDay gives the last 29 February that lies five years back or more.
func leapDay(asOf time.Time) time.Time {
	for year := asOf.Year() - 6; ; year-- {
		if day := time.Date(year, time.February, 29, 0, 0, 0, 0, time.UTC); day.Day() == 29 {
			return day
		}
	}
}

// parts fills the public part of Families and lists who signs in for them.
func (c *Cast) parts(t *Town) map[*person]Part {
	f := c.families
	signIns := map[*person]Part{}
	for _, row := range []struct {
		into       *Part
		sub, words string
		p          *person
	}{
		{&c.LastMinute, SubLastMinute, "締切の直前に辞退する親", f.lastMinute},
		{&c.TooLate, SubTooLate, "締切を過ぎてから辞退しようとする親", f.tooLate},
		{&c.Letter, SubLetter, "スマートフォンのない親（返事をしない）", f.letter},
		{&c.Protected, SubProtected, "連絡禁止の親", f.protected},
		{&c.Offered, SubOffered, "1歳の子の健診を2回受けていない親", f.offered},
		{&c.Unclaimed, SubUnclaimed, "幼稚園の給付を請求していない親", f.unclaimed},
		{&c.Twins, SubTwins, "双子の親（収入の多いほう）", f.twins},
		{&c.LeapDay, SubLeapDay, "2月29日生まれの子の親", f.leapDay},
		{&c.FirstDay, SubFirstDay, "1日生まれの子の親", f.firstDay},
		{&c.Servant, SubServant, "公務員の親", f.servant},
		{&c.Unasked, SubUnasked, "勤務先がわからない親", f.unasked},
	} {
		*row.into = t.part(row.sub, row.words, row.p)
		signIns[row.p] = *row.into
	}
	c.ProtectedChild = t.part("", "連絡禁止の家庭の1歳の子", f.protectedChild)
	c.OfferedChild = t.part("", "健診を2回受けていない1歳の子", f.offeredChild)
	c.UnclaimedChild = t.part("", "幼稚園に通う5歳の子", f.unclaimedChild)
	return signIns
}

// earns tells what a parent of the cast earns in a year, so that who is paid is known.
func (c *Cast) earns(p *person) (yen int, known bool) {
	f := c.families
	paid := []*person{c.parent, f.lastMinute, f.tooLate, f.letter, f.protected, f.offered, f.unclaimed, f.twins,
		f.leapDay, f.firstDay, f.servant, f.unasked}
	for i, payee := range paid {
		switch {
		case p == payee:
			return 3_200_000 + 150_000*i, true
		case p.home == payee.home && (p.relation == head || p.relation == spouse):
			return 900_000 + 10_000*i, true
		}
	}
	return 0, false
}

// benefitFacts writes what benefits ask of parents and registers do not say: whether the
// child allowance comes from the workplace. Of one household in twenty nobody knows.
func (t *Town) benefitFacts() {
	since := day(time.Date(2025, time.September, 30, 0, 0, 0, 0, time.UTC))
	for _, h := range t.homes {
		if !h.hasChild() {
			continue
		}
		unasked, servant := t.rng.chance(5), t.rng.chance(4)
		if h.ofCast(t) {
			unasked, servant = h == t.Cast.families.unasked.home, h == t.Cast.families.servant.home
		}
		if unasked {
			continue
		}
		for _, p := range h.members {
			if p.relation != head && p.relation != spouse {
				continue
			}
			source := "児童手当受給者台帳"
			if servant && p.relation == head {
				source = "所属庁からの受給状況の通知"
			}
			t.row("benefit_facts.csv", p.ref, p.town.code, "paid_by_workplace",
				strconv.FormatBool(servant && p.relation == head), since, source)
		}
	}
}

func (h *household) hasChild() bool {
	for _, p := range h.members {
		if p.relation == child {
			return true
		}
	}
	return false
}

// ofCast tells whether the household was made for the cast.
func (h *household) ofCast(t *Town) bool {
	f := t.Cast.families
	for _, p := range []*person{t.Cast.parent, f.lastMinute, f.tooLate, f.letter, f.protected, f.offered, f.unclaimed,
		f.twins, f.leapDay, f.firstDay, f.servant, f.unasked} {
		if p.home == h {
			return true
		}
	}
	return false
}
