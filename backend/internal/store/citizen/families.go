package citizen

import (
	"context"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// familyPart is how many households one statement reads.
const familyPart = 100

// Families implements citizen.Rows: a handful of statements for a page, whatever its size.
func (r *Rows) Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, young civil.Date, limit int) ([]citizen.Family, error) {
	var households []any
	err := r.from(t).Each(ctx, `
		SELECT h.household_ref FROM household_member h JOIN resident p ON p.citizen_id = h.citizen_id
		 WHERE h.municipality = $1 AND h.household_ref > $2 AND h.relation NOT IN ('head', 'spouse') AND p.birth_date > $3
		 GROUP BY h.household_ref ORDER BY h.household_ref LIMIT $4`, []any{m, after, young.String(), limit},
		func(scan func(...any) error) error {
			var h string
			err := scan(&h)
			households = append(households, h)
			return err
		})
	if err != nil {
		return nil, err
	}
	var out []citizen.Family
	for part := range slices.Chunk(households, familyPart) {
		page := pageOfFamilies{from: r.from(t), args: append([]any{m}, part...), in: bulk.List(2, len(part)),
			people: map[identity.CitizenID]*citizen.Relative{}}
		families, err := page.read(ctx, m)
		if err != nil {
			return nil, err
		}
		out = append(out, families...)
	}
	return out, nil
}

// pageOfFamilies is one reading of some households.
type pageOfFamilies struct {
	from   sqltx.Reader
	args   []any  // the municipality, then the households
	in     string // their places
	people map[identity.CitizenID]*citizen.Relative
	order  []*citizen.Relative
}

func (p *pageOfFamilies) read(ctx context.Context, m identity.MunicipalityCode) ([]citizen.Family, error) {
	for _, part := range []func(context.Context) error{p.members, p.deaths, p.moves, p.incomes, p.facts} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(p.order, byPlace)
	var out []citizen.Family
	for _, one := range p.order {
		if n := len(out); n == 0 || out[n-1].Household != one.Household {
			out = append(out, citizen.Family{Household: one.Household, Municipality: m})
		}
		f := &out[len(out)-1]
		f.Members = append(f.Members, *one)
	}
	return out, nil
}

// byPlace puts households in order, and in each the head first, then the spouse, then the
// others by birth.
func byPlace(a, b *citizen.Relative) int {
	rank := func(x *citizen.Relative) int {
		if i := slices.Index([]citizen.Relation{citizen.Head, citizen.Spouse}, x.Relation); i >= 0 {
			return i
		}
		return 2
	}
	if c := strings.Compare(a.Household, b.Household); c != 0 {
		return c
	}
	if c := rank(a) - rank(b); c != 0 {
		return c
	}
	if c := a.Resident.BirthDate.Compare(b.Resident.BirthDate.Date); c != 0 {
		return c
	}
	return strings.Compare(string(a.Resident.ID), string(b.Resident.ID))
}

// each runs a query over a table of the households' members.
func (p *pageOfFamilies) each(ctx context.Context, columns, table string, scan func(func(...any) error) error) error {
	join := ""
	if table != "" {
		join = " JOIN " + table + " x ON x.citizen_id = h.citizen_id"
	}
	return p.from.Each(ctx, "SELECT "+columns+" FROM household_member h"+join+
		" WHERE h.municipality = $1 AND h.household_ref IN "+p.in, p.args, scan)
}

func (p *pageOfFamilies) members(ctx context.Context) error {
	columns := "h.household_ref, h.relation, h.since, x." + strings.Join(strings.Split(strings.Join(strings.Fields(residentColumns), " "), ", "), ", x.")
	return p.each(ctx, columns, "resident", func(scan func(...any) error) error {
		var one citizen.Relative
		var since string
		v, err := scanResident(func(dest ...any) error {
			return scan(append([]any{&one.Household, &one.Relation, &since}, dest...)...)
		})
		if err != nil {
			return err
		}
		if one.Member.Since, err = civil.Parse(since); err != nil {
			return err
		}
		one.Resident = v
		p.people[v.ID] = &one
		p.order = append(p.order, &one)
		return nil
	})
}

func (p *pageOfFamilies) deaths(ctx context.Context) error {
	return p.each(ctx, "x.citizen_id, x.died_on", "death", func(scan func(...any) error) error {
		var id identity.CitizenID
		var on string
		err := scan(&id, &on)
		if one := p.people[id]; err == nil && one != nil {
			one.DiedOn, err = civil.Parse(on)
		}
		return err
	})
}

func (p *pageOfFamilies) moves(ctx context.Context) error {
	return p.each(ctx, "x.citizen_id, x.moved_on, x.kind, x.other_municipality", "move", func(scan func(...any) error) error {
		var id identity.CitizenID
		var m citizen.Move
		var on string
		err := scan(&id, &on, &m.Kind, &m.Other)
		if one := p.people[id]; err == nil && one != nil {
			m.On, err = civil.Parse(on)
			one.Moves = append(one.Moves, m)
		}
		return err
	})
}

func (p *pageOfFamilies) incomes(ctx context.Context) error {
	err := p.each(ctx, "x.citizen_id, x.tax_year, x.income_yen, x.resident_tax_yen, x.dependants, x.exempt", "income", func(scan func(...any) error) error {
		var id identity.CitizenID
		var v citizen.Income
		err := scan(&id, &v.TaxYear, &v.IncomeYen, &v.ResidentTaxYen, &v.Dependants, &v.Exempt)
		if one := p.people[id]; err == nil && one != nil {
			one.Incomes = append(one.Incomes, v)
		}
		return err
	})
	for _, one := range p.order {
		slices.SortFunc(one.Incomes, func(a, b citizen.Income) int { return int(b.TaxYear - a.TaxYear) })
	}
	return err
}

func (p *pageOfFamilies) facts(ctx context.Context) error {
	err := p.each(ctx, "x.citizen_id, x.fact, x.value, x.since, x.source", "benefit_fact", func(scan func(...any) error) error {
		var id identity.CitizenID
		var v citizen.Told
		var since string
		err := scan(&id, &v.Fact, &v.Value, &since, &v.Source)
		if one := p.people[id]; err == nil && one != nil {
			v.Since, err = civil.Parse(since)
			one.Facts = append(one.Facts, v)
		}
		return err
	})
	for _, one := range p.order {
		slices.SortFunc(one.Facts, func(a, b citizen.Told) int { return strings.Compare(a.Fact, b.Fact) })
	}
	return err
}

var told = bulk.Table{Name: "benefit_fact", Key: []string{"citizen_id", "fact"}, Columns: []string{"value", "since", "source"}}

func toldRow(f citizen.Fact[citizen.Told]) bulk.Row {
	v := f.Value
	return bulk.Row{Key: []any{f.Citizen, v.Fact}, Values: []any{v.Value, v.Since.String(), v.Source}, Digest: f.Digest}
}

// AddFacts implements citizen.Rows.
func (r *Rows) AddFacts(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Told]) ([]importing.Result, error) {
	return add(ctx, t, told, in, func(_ int, f citizen.Fact[citizen.Told]) bulk.Row { return toldRow(f) })
}

// ReplaceFact implements citizen.Rows.
func (r *Rows) ReplaceFact(ctx context.Context, t tx.Tx, f citizen.Fact[citizen.Told]) error {
	return told.Replace(ctx, sqltx.Of(t), toldRow(f))
}
