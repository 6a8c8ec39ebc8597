package charge

import (
	"slices"

	"madoguchi.example/shared/civil"
)

// Choose gives the share for the facts: by the first rule that holds on the visit day and
// applies. ok is false where none does; the desk then asks a person.
func (t Table) Choose(f Facts) (c Charge, ok bool) {
	band := BandOn(f.BirthDate, f.VisitDay)
	if band == unborn {
		return Charge{}, false
	}
	for _, r := range t.Rules {
		if !r.holds(f.VisitDay) || !r.When.applies(band, f) {
			continue
		}
		c = Charge{Percent: r.Percent, Rule: r}
		if slices.Contains(r.Stated, f.Stated) {
			c.Percent = f.Stated
		}
		c.Asked = len(r.Stated) > 0 && f.Stated == 0
		return c, true
	}
	return Charge{}, false
}

func (r Rule) holds(day civil.Date) bool {
	return !day.Before(r.ValidFrom) && (r.ValidTo.IsZero() || !day.After(r.ValidTo))
}

func (w When) applies(band Band, f Facts) bool {
	return (len(w.Bands) == 0 || slices.Contains(w.Bands, band)) &&
		(len(w.Evidence) == 0 || slices.Contains(w.Evidence, f.Evidence))
}
