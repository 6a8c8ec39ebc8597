// Package citizen keeps the residents and the links of sign-ins in the store: the SQL of
// backend/internal/citizen.
package citizen

import (
	"context"
	"slices"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements citizen.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ citizen.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// from gives the transaction, or the read side where there is none.
func (r *Rows) from(t tx.Tx) sqltx.Reader {
	if t == nil {
		return r.reads
	}
	return sqltx.Of(t)
}

// Resolve implements citizen.Resolver.
func (r *Rows) Resolve(ctx context.Context, t tx.Tx, refs []citizen.Ref) (map[citizen.Ref]identity.CitizenID, error) {
	by := map[identity.MunicipalityCode][]any{}
	for _, ref := range refs {
		by[ref.Municipality] = append(by[ref.Municipality], ref.Resident)
	}
	out := map[citizen.Ref]identity.CitizenID{}
	for m, all := range by {
		for part := range slices.Chunk(all, bulk.MaxRows) {
			err := r.from(t).Each(ctx, `SELECT ref, citizen_id FROM resident_ref WHERE municipality = $1 AND ref IN `+bulk.List(2, len(part)),
				append([]any{m}, part...), func(scan func(...any) error) error {
					var ref string
					var id identity.CitizenID
					if err := scan(&ref, &id); err != nil {
						return err
					}
					out[citizen.Ref{Municipality: m, Resident: ref}] = id
					return nil
				})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// Municipalities implements citizen.Rows.
func (r *Rows) Municipalities(ctx context.Context, t tx.Tx) ([]citizen.Municipality, error) {
	var out []citizen.Municipality
	err := r.from(t).Each(ctx, `
		SELECT code, name_ja, name_easy, name_en, counter_name, counter_place, counter_phone, counter_hours
		  FROM municipality ORDER BY code`, nil, func(scan func(...any) error) error {
		var m citizen.Municipality
		if err := scan(&m.Code, &m.NameJA, &m.NameEasy, &m.NameEN, &m.Counter.Name, &m.Counter.Place, &m.Counter.Phone, &m.Counter.Hours); err != nil {
			return err
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

const residentColumns = `citizen_id, municipality, ref, family_kanji, given_kanji, family_kana, given_kana,
	family_latin, given_latin, birth_date, sex, postal_code, address, resident_since`

func scanResident(scan func(...any) error) (citizen.Resident, error) {
	var v citizen.Resident
	var born, since string
	n := &v.Name
	err := scan(&v.ID, &v.Ref.Municipality, &v.Ref.Resident, &n.FamilyKanji, &n.GivenKanji, &n.FamilyKana, &n.GivenKana,
		&n.FamilyLatin, &n.GivenLatin, &born, &v.Sex, &v.PostalCode, &v.Address, &since)
	if err != nil {
		return v, err
	}
	if v.BirthDate.Date, err = civil.Parse(born); err != nil {
		return v, err
	}
	v.Since, err = civil.Parse(since)
	return v, err
}

// BornOn implements citizen.Rows.
func (r *Rows) BornOn(ctx context.Context, t tx.Tx, day civil.Date, sexes []identity.Sex, limit int) ([]citizen.Resident, error) {
	args := []any{day.String()}
	for _, s := range sexes {
		args = append(args, s)
	}
	args = append(args, limit)
	var out []citizen.Resident
	err := r.from(t).Each(ctx, `SELECT `+residentColumns+` FROM resident
		WHERE birth_date = $1 AND sex IN `+bulk.List(2, len(sexes))+` ORDER BY citizen_id LIMIT $`+strconv.Itoa(len(args)), args,
		func(scan func(...any) error) error {
			v, err := scanResident(scan)
			out = append(out, v)
			return err
		})
	return out, err
}

// Standings implements citizen.Rows.
func (r *Rows) Standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error) {
	out := map[identity.CitizenID]citizen.Standing{}
	for part := range slices.Chunk(ids, bulk.MaxRows) {
		if err := r.standings(ctx, t, part, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *Rows) standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID, out map[identity.CitizenID]citizen.Standing) error {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	in := bulk.List(1, len(args))
	from := r.from(t)
	err := from.Each(ctx, `SELECT `+residentColumns+` FROM resident WHERE citizen_id IN `+in, args, func(scan func(...any) error) error {
		v, err := scanResident(scan)
		out[v.ID] = citizen.Standing{Resident: v}
		return err
	})
	if err != nil {
		return err
	}
	err = from.Each(ctx, `SELECT citizen_id, died_on FROM death WHERE citizen_id IN `+in, args, func(scan func(...any) error) error {
		var id identity.CitizenID
		var on string
		if err := scan(&id, &on); err != nil {
			return err
		}
		s := out[id]
		s.DiedOn, err = civil.Parse(on)
		out[id] = s
		return err
	})
	if err != nil {
		return err
	}
	return from.Each(ctx, `SELECT citizen_id, moved_on, kind, other_municipality FROM move WHERE citizen_id IN `+in, args, func(scan func(...any) error) error {
		var id identity.CitizenID
		var m citizen.Move
		var on string
		if err := scan(&id, &on, &m.Kind, &m.Other); err != nil {
			return err
		}
		m.On, err = civil.Parse(on)
		s := out[id]
		s.Moves = append(s.Moves, m)
		out[id] = s
		return err
	})
}

// Household implements citizen.Rows.
func (r *Rows) Household(ctx context.Context, t tx.Tx, id identity.CitizenID) (map[identity.CitizenID]citizen.Member, error) {
	var municipality, household string
	err := r.from(t).Each(ctx, `SELECT municipality, household_ref FROM household_member WHERE citizen_id = $1`, []any{id},
		func(scan func(...any) error) error { return scan(&municipality, &household) })
	if err != nil || household == "" {
		return nil, err
	}
	out := map[identity.CitizenID]citizen.Member{}
	err = r.from(t).Each(ctx, `SELECT citizen_id, relation, since FROM household_member WHERE municipality = $1 AND household_ref = $2`,
		[]any{municipality, household}, func(scan func(...any) error) error {
			var member identity.CitizenID
			var since string
			m := citizen.Member{Household: household}
			err := scan(&member, &m.Relation, &since)
			if err != nil {
				return err
			}
			m.Since, err = civil.Parse(since)
			out[member] = m
			return err
		})
	return out, err
}

// Linked implements citizen.Rows.
func (r *Rows) Linked(ctx context.Context, t tx.Tx, issuer, subject string) (identity.CitizenID, bool, error) {
	var id identity.CitizenID
	err := r.from(t).Each(ctx, `SELECT citizen_id FROM identity_link WHERE issuer = $1 AND subject = $2`, []any{issuer, subject},
		func(scan func(...any) error) error { return scan(&id) })
	return id, id != "", err
}

// Link implements citizen.Rows.
func (r *Rows) Link(ctx context.Context, t tx.Tx, issuer, subject string, id identity.CitizenID, at time.Time) (identity.CitizenID, error) {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO identity_link (issuer, subject, citizen_id, linked_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (issuer, subject) DO NOTHING`, issuer, subject, id, sqltx.Micros(at))
	if err != nil {
		return "", err
	}
	now, _, err := r.Linked(ctx, t, issuer, subject)
	return now, err
}

var (
	municipalities = bulk.Table{Name: "municipality", Key: []string{"code"},
		Columns: []string{"name_ja", "name_easy", "name_en", "counter_name", "counter_place", "counter_phone", "counter_hours"}}
	residents = bulk.Table{Name: "resident", Key: []string{"citizen_id"},
		Columns: []string{"municipality", "ref", "family_kanji", "given_kanji", "family_kana", "given_kana",
			"family_latin", "given_latin", "birth_date", "sex", "postal_code", "address", "resident_since"}}
	members = bulk.Table{Name: "household_member", Key: []string{"citizen_id"}, Columns: []string{"municipality", "household_ref", "relation", "since"}}
	births  = bulk.Table{Name: "birth", Key: []string{"citizen_id"}, Columns: []string{"born_on", "registered_on"}}
	moves   = bulk.Table{Name: "move", Key: []string{"citizen_id", "moved_on", "kind"}, Columns: []string{"other_municipality"}}
	deaths  = bulk.Table{Name: "death", Key: []string{"citizen_id"}, Columns: []string{"died_on", "registered_on"}}
	incomes = bulk.Table{Name: "income", Key: []string{"citizen_id", "tax_year"}, Columns: []string{"income_yen", "resident_tax_yen", "dependants", "exempt"}}
)

// add stores facts as rows of a table.
func add[T any](ctx context.Context, t tx.Tx, tb bulk.Table, facts []citizen.Fact[T], row func(int, citizen.Fact[T]) bulk.Row) ([]importing.Result, error) {
	rows := make([]bulk.Row, len(facts))
	for i, f := range facts {
		rows[i] = row(i, f)
		rows[i].Digest = f.Digest
	}
	return tb.Add(ctx, sqltx.Of(t), rows)
}

func municipalityRow(e importing.Entry[citizen.Municipality]) bulk.Row {
	m := e.Value
	return bulk.Row{Key: []any{m.Code}, Values: []any{m.NameJA, m.NameEasy, m.NameEN, m.Counter.Name, m.Counter.Place, m.Counter.Phone, m.Counter.Hours}, Digest: e.Digest}
}

// AddMunicipalities implements citizen.Rows.
func (r *Rows) AddMunicipalities(ctx context.Context, t tx.Tx, in []importing.Entry[citizen.Municipality]) ([]importing.Result, error) {
	rows := make([]bulk.Row, len(in))
	for i, e := range in {
		rows[i] = municipalityRow(e)
	}
	return municipalities.Add(ctx, sqltx.Of(t), rows)
}

// ReplaceMunicipality implements citizen.Rows.
func (r *Rows) ReplaceMunicipality(ctx context.Context, t tx.Tx, e importing.Entry[citizen.Municipality]) error {
	return municipalities.Replace(ctx, sqltx.Of(t), municipalityRow(e))
}

func residentRow(f citizen.Fact[citizen.Resident]) bulk.Row {
	v, n := f.Value, f.Value.Name
	return bulk.Row{Key: []any{f.Citizen}, Digest: f.Digest, Values: []any{v.Ref.Municipality, v.Ref.Resident,
		n.FamilyKanji, n.GivenKanji, n.FamilyKana, n.GivenKana, n.FamilyLatin, n.GivenLatin,
		v.BirthDate.Date.String(), v.Sex, v.PostalCode, v.Address, v.Since.String()}}
}

// AddResidents implements citizen.Rows. A ref that is stored already keeps its citizen.
func (r *Rows) AddResidents(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Resident]) ([]importing.Result, error) {
	links, refs := make([][]any, len(in)), make([]citizen.Ref, len(in))
	for i, f := range in {
		refs[i] = f.Value.Ref
		links[i] = []any{f.Value.Ref.Municipality, f.Value.Ref.Resident, f.Citizen}
	}
	if _, err := bulk.Insert(ctx, sqltx.Of(t), "resident_ref", []string{"municipality", "ref", "citizen_id"}, links); err != nil {
		return nil, err
	}
	ids, err := r.Resolve(ctx, t, refs)
	if err != nil {
		return nil, err
	}
	rows := make([]bulk.Row, len(in))
	for i, f := range in {
		f.Citizen = ids[f.Value.Ref]
		rows[i] = residentRow(f)
	}
	return residents.Add(ctx, sqltx.Of(t), rows)
}

// ReplaceResident implements citizen.Rows.
func (r *Rows) ReplaceResident(ctx context.Context, t tx.Tx, f citizen.Fact[citizen.Resident]) error {
	return residents.Replace(ctx, sqltx.Of(t), residentRow(f))
}

func memberRow(m identity.MunicipalityCode, f citizen.Fact[citizen.Member]) bulk.Row {
	return bulk.Row{Key: []any{f.Citizen}, Values: []any{m, f.Value.Household, f.Value.Relation, f.Value.Since.String()}, Digest: f.Digest}
}

// AddMembers implements citizen.Rows.
func (r *Rows) AddMembers(ctx context.Context, t tx.Tx, m []identity.MunicipalityCode, in []citizen.Fact[citizen.Member]) ([]importing.Result, error) {
	return add(ctx, t, members, in, func(i int, f citizen.Fact[citizen.Member]) bulk.Row { return memberRow(m[i], f) })
}

// ReplaceMember implements citizen.Rows.
func (r *Rows) ReplaceMember(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, f citizen.Fact[citizen.Member]) error {
	return members.Replace(ctx, sqltx.Of(t), memberRow(m, f))
}

// AddBirths implements citizen.Rows.
func (r *Rows) AddBirths(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Birth]) ([]importing.Result, error) {
	return add(ctx, t, births, in, func(_ int, f citizen.Fact[citizen.Birth]) bulk.Row {
		return bulk.Row{Key: []any{f.Citizen}, Values: []any{f.Value.BornOn.String(), f.Value.RegisteredOn.String()}}
	})
}

// AddMoves implements citizen.Rows.
func (r *Rows) AddMoves(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Move]) ([]importing.Result, error) {
	return add(ctx, t, moves, in, func(_ int, f citizen.Fact[citizen.Move]) bulk.Row {
		return bulk.Row{Key: []any{f.Citizen, f.Value.On.String(), f.Value.Kind}, Values: []any{f.Value.Other}}
	})
}

// AddDeaths implements citizen.Rows.
func (r *Rows) AddDeaths(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Death]) ([]importing.Result, error) {
	return add(ctx, t, deaths, in, func(_ int, f citizen.Fact[citizen.Death]) bulk.Row {
		return bulk.Row{Key: []any{f.Citizen}, Values: []any{f.Value.DiedOn.String(), f.Value.RegisteredOn.String()}}
	})
}

func incomeRow(f citizen.Fact[citizen.Income]) bulk.Row {
	v := f.Value
	return bulk.Row{Key: []any{f.Citizen, v.TaxYear}, Values: []any{v.IncomeYen, v.ResidentTaxYen, v.Dependants, v.Exempt}, Digest: f.Digest}
}

// AddIncome implements citizen.Rows.
func (r *Rows) AddIncome(ctx context.Context, t tx.Tx, in []citizen.Fact[citizen.Income]) ([]importing.Result, error) {
	return add(ctx, t, incomes, in, func(_ int, f citizen.Fact[citizen.Income]) bulk.Row { return incomeRow(f) })
}

// ReplaceIncome implements citizen.Rows.
func (r *Rows) ReplaceIncome(ctx context.Context, t tx.Tx, f citizen.Fact[citizen.Income]) error {
	return incomes.Replace(ctx, sqltx.Of(t), incomeRow(f))
}
