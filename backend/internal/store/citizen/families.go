package citizen

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// familyPart is how many keys one statement looks for, and how many households are read at
// once.
const familyPart = 100

// Families implements citizen.Rows. Each statement reads one table by one index: whatever a
// planner believes of a table that was never analysed, a page costs what a page holds.
func (r *Rows) Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, young civil.Date, limit int) ([]citizen.Family, error) {
	var out []citizen.Family
	for len(out) < limit {
		households, err := r.households(ctx, t, m, after)
		if err != nil {
			return nil, err
		}
		found, err := r.families(ctx, t, m, households)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if len(out) < limit && hasYoung(f, young) {
				out = append(out, f)
			}
		}
		if len(households) < familyPart {
			break
		}
		after = households[len(households)-1].(string)
	}
	return out, nil
}

func hasYoung(f citizen.Family, young civil.Date) bool {
	return slices.ContainsFunc(f.Members, func(m citizen.Relative) bool {
		return m.Relation != citizen.Head && m.Relation != citizen.Spouse && m.Resident.BirthDate.After(young)
	})
}

// households gives the next households with somebody beside head and spouse. The keys are
// compared as a pair and the municipality is cut off here: with the municipality given as
// equal, PostgreSQL expects few rows where it has no statistics, and sorts all that are left.
func (r *Rows) households(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string) ([]any, error) {
	var out []any
	err := r.from(t).Each(ctx, `SELECT municipality, household_ref FROM household_member
		WHERE (municipality, household_ref) > ($1, $2) AND relation NOT IN ('head', 'spouse')
		GROUP BY municipality, household_ref ORDER BY municipality, household_ref LIMIT `+strconv.Itoa(familyPart), []any{m, after},
		func(scan func(...any) error) error {
			var of identity.MunicipalityCode
			var h string
			err := scan(&of, &h)
			if of == m {
				out = append(out, h)
			}
			return err
		})
	return out, err
}

// families reads households whole.
func (r *Rows) families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, households []any) ([]citizen.Family, error) {
	if len(households) == 0 {
		return nil, nil
	}
	page := map[identity.CitizenID]*citizen.Relative{}
	if err := r.members(ctx, t, m, households, page); err != nil {
		return nil, err
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(page)), familyPart) {
		if err := r.fill(ctx, t, ids, page); err != nil {
			return nil, err
		}
	}
	// Households keep the engine's order, which the next page goes on from.
	place := map[string]int{}
	for i, h := range households {
		place[h.(string)] = i
	}
	order := slices.SortedFunc(maps.Values(page), func(a, b *citizen.Relative) int {
		return cmp.Or(place[a.Household]-place[b.Household], byPlace(a, b))
	})
	var out []citizen.Family
	for _, one := range order {
		if n := len(out); n == 0 || out[n-1].Household != one.Household {
			out = append(out, citizen.Family{Household: one.Household, Municipality: m})
		}
		f := &out[len(out)-1]
		f.Members = append(f.Members, *one)
	}
	return out, nil
}

// byPlace puts the head of a household first, then the spouse, then the others by birth.
func byPlace(a, b *citizen.Relative) int {
	rank := func(x *citizen.Relative) int {
		if i := slices.Index([]citizen.Relation{citizen.Head, citizen.Spouse}, x.Relation); i >= 0 {
			return i
		}
		return 2
	}
	return cmp.Or(rank(a)-rank(b), a.Resident.BirthDate.Compare(b.Resident.BirthDate.Date),
		strings.Compare(string(a.Resident.ID), string(b.Resident.ID)))
}

func (r *Rows) members(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, households []any, page map[identity.CitizenID]*citizen.Relative) error {
	return r.from(t).Each(ctx, `SELECT citizen_id, household_ref, relation, since FROM household_member
		WHERE municipality = $1 AND household_ref IN `+bulk.List(2, len(households)), append([]any{m}, households...),
		func(scan func(...any) error) error {
			var id identity.CitizenID
			var one citizen.Relative
			var since string
			err := scan(&id, &one.Household, &one.Relation, &since)
			if err != nil {
				return err
			}
			one.Member.Since, err = civil.Parse(since)
			page[id] = &one
			return err
		})
}

// fill adds what the registers and files say of some members.
func (r *Rows) fill(ctx context.Context, t tx.Tx, ids []identity.CitizenID, page map[identity.CitizenID]*citizen.Relative) error {
	standings := map[identity.CitizenID]citizen.Standing{}
	if err := r.standings(ctx, t, ids, standings); err != nil {
		return err
	}
	for id, s := range standings {
		page[id].Standing = s
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	in := bulk.List(1, len(args))
	err := r.from(t).Each(ctx, `SELECT citizen_id, tax_year, income_yen, resident_tax_yen, dependants, exempt FROM income
		WHERE citizen_id IN `+in+` ORDER BY citizen_id, tax_year DESC`, args, func(scan func(...any) error) error {
		var id identity.CitizenID
		var v citizen.Income
		err := scan(&id, &v.TaxYear, &v.IncomeYen, &v.ResidentTaxYen, &v.Dependants, &v.Exempt)
		if err == nil {
			page[id].Incomes = append(page[id].Incomes, v)
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.from(t).Each(ctx, `SELECT citizen_id, fact, value, since, source FROM benefit_fact
		WHERE citizen_id IN `+in+` ORDER BY citizen_id, fact`, args, func(scan func(...any) error) error {
		var id identity.CitizenID
		var v citizen.Told
		var since string
		err := scan(&id, &v.Fact, &v.Value, &since, &v.Source)
		if err != nil {
			return err
		}
		v.Since, err = civil.Parse(since)
		page[id].Facts = append(page[id].Facts, v)
		return err
	})
}

// Housemates implements citizen.Rows.
func (r *Rows) Housemates(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID][]identity.CitizenID, error) {
	out := map[identity.CitizenID][]identity.CitizenID{}
	for part := range slices.Chunk(ids, familyPart) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
			out[id] = append(out[id], id)
		}
		err := r.from(t).Each(ctx, `SELECT a.citizen_id, b.citizen_id FROM household_member a
			JOIN household_member b ON b.municipality = a.municipality AND b.household_ref = a.household_ref AND b.citizen_id <> a.citizen_id
			WHERE a.citizen_id IN `+bulk.List(1, len(args)), args, func(scan func(...any) error) error {
			var of, id identity.CitizenID
			err := scan(&of, &id)
			out[of] = append(out[of], id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
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
