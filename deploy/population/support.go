package population

import "time"

// protections writes who must not be contacted and whose address nobody may tell: a family
// of the cast, now and then a family, and some whose protection is over.
func (t *Town) protections() {
	f := t.Cast.families
	t.row("protections.csv", f.protected.ref, f.protected.town.code, "do_not_contact", day(t.asOf.AddDate(0, -4, 0)), "")
	for _, h := range t.homes {
		if h.ofCast(t) || !h.hasChild() || !t.rng.chance(2) {
			continue
		}
		until := ""
		if t.rng.chance(40) {
			until = day(t.ago(10, 90))
		}
		t.row("protections.csv", h.members[0].ref, h.town.code, "non_disclosure", day(t.ago(100, 460)), until)
	}
}

// childcare writes the newest statement on the use of childcare for every child below
// school age.
func (t *Town) childcare() {
	asOf := t.asOf.AddDate(0, 0, -5)
	for _, h := range t.homes {
		for _, p := range h.members {
			if p.relation != child || !t.asOf.Before(schoolAge(p.born)) || p.born.After(asOf) {
				continue
			}
			kind, recognised := t.facility(p)
			since, attended := "", ""
			if kind != "none" {
				years := t.rng.below(2)
				if p == t.Cast.families.unclaimedChild {
					years = 1 // long enough on every reference day
				}
				entered := later(p.born.AddDate(0, 6, 0), time.Date(fiscalYear(asOf)-years, time.April, 1, 0, 0, 0, 0, time.UTC))
				if entered.After(asOf) {
					entered = asOf
				}
				since, attended = day(entered), day(later(entered, asOf.AddDate(0, 0, -t.rng.below(4))))
			}
			t.row("childcare.csv", p.ref, p.town.code, day(asOf), kind, recognised, since, attended)
		}
	}
}

// facility tells where a child is looked after, and whether the grant for it was recognised.
func (t *Town) facility(p *person) (kind, recognised string) {
	f, r := t.Cast.families, t.rng
	n, claimed := r.below(100), r.chance(96)
	switch {
	case p == f.unclaimedChild:
		return "kindergarten", "no"
	case p == f.protectedChild, p == f.offeredChild:
		return "none", "no"
	case p.age(t.asOf) < 3 && n < 45, p.age(t.asOf) >= 3 && n < 60:
		return "licensed", "no"
	case p.age(t.asOf) < 3 && n < 90, n < 65:
		return "none", "no"
	case n < 92:
		kind = "kindergarten"
	default:
		kind = "unlicensed"
	}
	recognised = "yes"
	if !claimed || p.age(t.asOf) < 3 {
		recognised = "no"
	}
	return kind, recognised
}

// checkup is one of the health checks of small children (母子保健法第12条, 第13条).
type checkup struct {
	key    string
	months int
}

var allCheckups = []checkup{{"m4", 4}, {"m18", 18}, {"y3", 36}}

// checkups writes the health checks that were due in the last years.
func (t *Town) checkups() {
	asOf := t.asOf.AddDate(0, 0, -9)
	f := t.Cast.families
	for _, h := range t.homes {
		for _, p := range h.members {
			if p.relation != child || p.age(t.asOf) > 4 {
				continue
			}
			missedOne := false
			for _, c := range allCheckups {
				due := p.born.AddDate(0, c.months, 0)
				if due.After(asOf) {
					continue
				}
				result, contacted := "attended", ""
				switch n := t.rng.below(100); {
				case p == f.protectedChild || p == f.offeredChild:
					result = "missed"
				case h.ofCast(t) || n >= 8:
				case n < 2:
					result = "excused"
				default:
					result = "missed"
				}
				if result == "missed" && missedOne && p != f.protectedChild && p != f.offeredChild && t.rng.chance(70) {
					contacted = day(asOf)
				}
				missedOne = missedOne || result == "missed"
				t.row("checkups.csv", p.ref, p.town.code, day(asOf), c.key, day(due), result, contacted)
			}
		}
	}
}
