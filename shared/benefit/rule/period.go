package rule

import (
	"slices"

	"madoguchi.example/shared/benefit"
)

// period is a run of months of an edition in which every parameter stays on one row.
type period struct {
	from   benefit.Month
	values []benefit.Value          // by slot
	uses   [][]benefit.ParameterUse // by rule
}

// period gives the one that m lies in; m lies in the edition.
func (ed *edition) period(m benefit.Month) *period {
	i := len(ed.periods) - 1
	for i > 0 && m.Before(ed.periods[i].from) {
		i--
	}
	return &ed.periods[i]
}

// periods cuts the edition where a parameter changes its row.
func (c *compiler) periods() {
	starts := []benefit.Month{c.edition.From}
	for _, id := range c.params {
		for _, row := range c.program.Parameters[id] {
			for _, m := range []benefit.Month{row.From, row.To.Add(1)} {
				if row.To.IsZero() && m != row.From || m.Before(c.edition.From) || !c.edition.To.IsZero() && c.edition.To.Before(m) {
					continue
				}
				starts = append(starts, m)
			}
		}
	}
	slices.SortFunc(starts, benefit.Month.Since)
	for _, m := range slices.Compact(starts) {
		p := period{from: m}
		for _, id := range c.params {
			v := benefit.Value{}
			if row, ok := c.program.Parameter(id, m); ok {
				v = benefit.Int(row.Value)
			}
			p.values = append(p.values, v)
		}
		for _, g := range c.out.groups {
			for i := range g {
				p.uses = append(p.uses, c.uses(g[i].reads, m))
			}
		}
		c.out.periods = append(c.out.periods, p)
	}
}

func (c *compiler) uses(ids []string, m benefit.Month) []benefit.ParameterUse {
	var uses []benefit.ParameterUse
	for _, id := range ids {
		row, _ := c.program.Parameter(id, m)
		uses = append(uses, benefit.ParameterUse{ID: id, From: row.From, Source: row.Source})
	}
	return uses
}
