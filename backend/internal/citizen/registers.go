package citizen

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Longest cells, in code points.
const (
	maxName    = 100
	maxAddress = 300
	maxPlain   = 200
)

// Reasons that the registers give.
const (
	reasonNoMunicipality = "no such municipality: import municipalities.csv first"
	reasonNoResident     = "no such resident in this municipality: import residents.csv first"
	reasonConflict       = "conflict: an earlier import says something else about this"
)

// Importers gives the importers of the registers that this package owns.
//
// In municipalities, residents, households, income and benefit_facts the newer file wins,
// row by row.
// Births, moves and deaths are events: another content under the same key is refused.
func (x *Registry) Importers() []importing.Importer {
	return []importing.Importer{
		importing.For(x.municipalities()), importing.For(x.residents()), importing.For(x.households()),
		importing.For(x.births()), importing.For(x.moves()), importing.For(x.deaths()), importing.For(x.income()), importing.For(x.told()),
	}
}

func free(names ...string) []importing.Column {
	out := importing.Columns(names...)
	for i := range out {
		out[i].Free = true
	}
	return out
}

func (x *Registry) municipalities() importing.Sheet[Municipality] {
	return importing.Sheet[Municipality]{
		File: "municipalities.csv",
		Columns: append(importing.Columns("municipality_code"),
			free("name_ja", "name_easy", "name_en", "counter_name", "counter_place", "counter_phone", "counter_hours")...),
		Parse: func(r *importing.Row) Municipality {
			return Municipality{
				Code: r.Municipality("municipality_code"), NameJA: r.Text("name_ja", maxName),
				NameEasy: r.Text("name_easy", maxName), NameEN: r.Text("name_en", maxName),
				Counter: Counter{
					Name: r.Text("counter_name", maxName), Place: r.Text("counter_place", maxPlain),
					Phone: r.Text("counter_phone", 40), Hours: r.Text("counter_hours", maxPlain),
				},
			}
		},
		Key: func(m Municipality) string { return string(m.Code) },
		Store: func(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[Municipality]) ([]importing.Verdict, error) {
			results, err := x.Rows.AddMunicipalities(ctx, t, batch)
			if err != nil {
				return nil, err
			}
			return verdicts(results, importing.Verdict{Result: importing.Changed}), x.imported(ctx, t, who, "municipalities")
		},
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[Municipality]) error {
			return x.Rows.ReplaceMunicipality(ctx, t, e)
		},
	}
}

func (x *Registry) residents() importing.Sheet[Resident] {
	return importing.Sheet[Resident]{
		File: "residents.csv",
		Columns: append(append(importing.Columns("resident_ref", "municipality_code"),
			free("family_kanji", "given_kanji", "family_kana", "given_kana", "family_latin", "given_latin")...),
			importing.Column{Name: "birth_date"}, importing.Column{Name: "sex"}, importing.Column{Name: "postal_code"},
			importing.Column{Name: "address", Free: true}, importing.Column{Name: "resident_since"}),
		Parse: x.parseResident,
		Key:   func(v Resident) string { return key(v.Ref) },
		Store: x.storeResidents,
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[Resident]) error {
			ids, err := x.Rows.Resolve(ctx, t, []Ref{e.Value.Ref})
			if err != nil {
				return err
			}
			e.Value.ID = ids[e.Value.Ref]
			if err := x.Rows.ReplaceResident(ctx, t, Fact[Resident]{e.Value.ID, e.Digest, e.Value}); err != nil {
				return err
			}
			return x.changed(ctx, t, who, "resident", e.Value.ID, e.Value.Ref.Municipality)
		},
	}
}

func (x *Registry) parseResident(r *importing.Row) Resident {
	v := Resident{
		Ref: Ref{r.Municipality("municipality_code"), r.Ref("resident_ref")},
		Name: identity.PersonName{
			FamilyKanji: r.Text("family_kanji", maxName), GivenKanji: r.Optional("given_kanji", maxName),
			FamilyKana: r.Text("family_kana", maxName), GivenKana: r.Optional("given_kana", maxName),
			FamilyLatin: r.Text("family_latin", maxName), GivenLatin: r.Optional("given_latin", maxName),
		},
		BirthDate:  identity.BirthDate{Date: r.DayUntil("birth_date", x.today())},
		Sex:        sexes[r.OneOf("sex", "0", "1", "2", "9")],
		PostalCode: r.Optional("postal_code", 8),
		Address:    r.Text("address", maxAddress),
		Since:      r.DayUntil("resident_since", x.today()),
	}
	if r.OK() && v.Since.Before(v.BirthDate.Date) {
		r.Fault("resident_since", "lies before the birth date")
	}
	return v
}

var sexes = map[string]identity.Sex{"0": identity.SexUnknown, "1": identity.SexMale, "2": identity.SexFemale, "9": identity.SexNotApplicable}

func (x *Registry) storeResidents(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[Resident]) ([]importing.Verdict, error) {
	there, err := x.Rows.Municipalities(ctx, t)
	if err != nil {
		return nil, err
	}
	known := map[identity.MunicipalityCode]bool{}
	for _, m := range there {
		known[m.Code] = true
	}
	return some(batch, func(e importing.Entry[Resident]) *importing.Verdict {
		if !known[e.Value.Ref.Municipality] {
			return &importing.Verdict{Result: importing.Refused, Column: "municipality_code", Reason: reasonNoMunicipality}
		}
		return nil
	}, func(good []importing.Entry[Resident]) ([]importing.Verdict, error) {
		facts := make([]Fact[Resident], len(good))
		for i, e := range good {
			id, err := x.ids.New("ctz")
			if err != nil {
				return nil, err
			}
			e.Value.ID = identity.CitizenID(id)
			facts[i] = Fact[Resident]{e.Value.ID, e.Digest, e.Value}
		}
		results, err := x.Rows.AddResidents(ctx, t, facts)
		if err != nil {
			return nil, err
		}
		return verdicts(results, importing.Verdict{Result: importing.Changed}), x.imported(ctx, t, who, "residents")
	})
}

// about is a row about a resident who must be known.
type about[T any] struct {
	ref   Ref
	value T
}

func key(r Ref) string { return string(r.Municipality) + " " + r.Resident }

func readRef(r *importing.Row) Ref {
	return Ref{r.Municipality("municipality_code"), r.Ref("resident_ref")}
}

// Known stores the rows of a batch whose resident is known, as facts, through put; the
// others are refused. differs is the verdict where put answers Changed. Other use cases
// that import rows about residents use it as well.
func Known[T any](ctx context.Context, t tx.Tx, find Resolver, batch []importing.Entry[T], ref func(T) Ref,
	differs importing.Verdict, put func(refs []Ref, facts []Fact[T]) ([]importing.Result, error)) ([]importing.Verdict, error) {
	refs := make([]Ref, len(batch))
	for i, e := range batch {
		refs[i] = ref(e.Value)
	}
	ids, err := find.Resolve(ctx, t, refs)
	if err != nil {
		return nil, err
	}
	return some(batch, func(e importing.Entry[T]) *importing.Verdict {
		if ids[ref(e.Value)] == "" {
			return &importing.Verdict{Result: importing.Refused, Column: "resident_ref", Reason: reasonNoResident}
		}
		return nil
	}, func(good []importing.Entry[T]) ([]importing.Verdict, error) {
		facts, goodRefs := make([]Fact[T], len(good)), make([]Ref, len(good))
		for i, e := range good {
			goodRefs[i] = ref(e.Value)
			facts[i] = Fact[T]{ids[goodRefs[i]], e.Digest, e.Value}
		}
		results, err := put(goodRefs, facts)
		if err != nil {
			return nil, err
		}
		return verdicts(results, differs), nil
	})
}

// some stores the entries that refuse lets through and puts both kinds of verdict into
// the batch's order.
func some[T any](batch []importing.Entry[T], refuse func(importing.Entry[T]) *importing.Verdict,
	store func([]importing.Entry[T]) ([]importing.Verdict, error)) ([]importing.Verdict, error) {
	out := make([]importing.Verdict, len(batch))
	var good []importing.Entry[T]
	var at []int
	for i, e := range batch {
		if v := refuse(e); v != nil {
			out[i] = *v
			continue
		}
		good, at = append(good, e), append(at, i)
	}
	if len(good) == 0 {
		return out, nil
	}
	stored, err := store(good)
	if err != nil {
		return nil, err
	}
	for n, v := range stored {
		out[at[n]] = v
	}
	return out, nil
}

// verdicts turns results into verdicts; differs stands for Changed.
func verdicts(results []importing.Result, differs importing.Verdict) []importing.Verdict {
	out := make([]importing.Verdict, len(results))
	for i, r := range results {
		out[i] = importing.Verdict{Result: r}
		if r == importing.Changed {
			out[i] = differs
		}
	}
	return out
}

// imported records that a batch was taken in. It is about no one citizen.
func (x *Registry) imported(ctx context.Context, t tx.Tx, who actor.System, what string) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Import, Action: "import." + what})
}

// changed records that an import replaced what is kept about a citizen.
func (x *Registry) changed(ctx context.Context, t tx.Tx, who actor.System, what string, id identity.CitizenID, m identity.MunicipalityCode) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Import, Action: "import." + what + "_changed", CitizenID: id, Municipality: m, Items: []string{what}})
}

var (
	replaceable = importing.Verdict{Result: importing.Changed}
	conflicting = importing.Verdict{Result: importing.Refused, Reason: reasonConflict}
)

// one resolves the resident of a single changed row.
func one[T any](ctx context.Context, t tx.Tx, find Resolver, e importing.Entry[about[T]]) (Fact[T], error) {
	ids, err := find.Resolve(ctx, t, []Ref{e.Value.ref})
	return Fact[T]{ids[e.Value.ref], e.Digest, e.Value.value}, err
}

// events makes the Store of a register whose rows never change.
func events[T any](x *Registry, what string, add func(ctx context.Context, t tx.Tx, rows []Fact[T]) ([]importing.Result, error)) func(context.Context, tx.Tx, actor.System, []importing.Entry[about[T]]) ([]importing.Verdict, error) {
	return facts(x, what, conflicting, func(ctx context.Context, t tx.Tx, _ []identity.MunicipalityCode, rows []Fact[T]) ([]importing.Result, error) {
		return add(ctx, t, rows)
	})
}

// facts makes the Store of a register about known residents.
func facts[T any](x *Registry, what string, differs importing.Verdict,
	add func(ctx context.Context, t tx.Tx, in []identity.MunicipalityCode, rows []Fact[T]) ([]importing.Result, error)) func(context.Context, tx.Tx, actor.System, []importing.Entry[about[T]]) ([]importing.Verdict, error) {
	return func(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[about[T]]) ([]importing.Verdict, error) {
		out, err := Known(ctx, t, x.Rows, batch, func(v about[T]) Ref { return v.ref }, differs,
			func(refs []Ref, rows []Fact[about[T]]) ([]importing.Result, error) {
				in, plain := make([]identity.MunicipalityCode, len(refs)), make([]Fact[T], len(rows))
				for i, f := range rows {
					in[i], plain[i] = refs[i].Municipality, Fact[T]{f.Citizen, f.Digest, f.Value.value}
				}
				return add(ctx, t, in, plain)
			})
		if err != nil {
			return nil, err
		}
		return out, x.imported(ctx, t, who, what)
	}
}

func (x *Registry) households() importing.Sheet[about[Member]] {
	return importing.Sheet[about[Member]]{
		File:    "households.csv",
		Columns: importing.Columns("household_ref", "municipality_code", "resident_ref", "relation", "since"),
		Parse: func(r *importing.Row) about[Member] {
			return about[Member]{readRef(r), Member{
				Household: r.Ref("household_ref"),
				Relation:  Relation(r.OneOf("relation", string(Head), string(Spouse), string(Child), string(Parent), string(Other))),
				Since:     r.DayUntil("since", x.today()),
			}}
		},
		Key:   func(v about[Member]) string { return key(v.ref) },
		Store: facts(x, "households", replaceable, x.Rows.AddMembers),
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[about[Member]]) error {
			f, err := one(ctx, t, x.Rows, e)
			if err != nil {
				return err
			}
			if err := x.Rows.ReplaceMember(ctx, t, e.Value.ref.Municipality, f); err != nil {
				return err
			}
			return x.changed(ctx, t, who, "household", f.Citizen, e.Value.ref.Municipality)
		},
	}
}

func (x *Registry) births() importing.Sheet[about[Birth]] {
	return importing.Sheet[about[Birth]]{
		File:    "births.csv",
		Columns: importing.Columns("resident_ref", "municipality_code", "born_on", "registered_on"),
		Parse: func(r *importing.Row) about[Birth] {
			return about[Birth]{readRef(r), Birth{r.DayUntil("born_on", x.today()), x.after(r, "registered_on", "born_on")}}
		},
		Key:   func(v about[Birth]) string { return key(v.ref) },
		Store: events(x, "births", x.Rows.AddBirths),
	}
}

func (x *Registry) moves() importing.Sheet[about[Move]] {
	return importing.Sheet[about[Move]]{
		File:    "moves.csv",
		Columns: importing.Columns("resident_ref", "municipality_code", "kind", "moved_on", "other_municipality"),
		Parse: func(r *importing.Row) about[Move] {
			m := Move{Kind: MoveKind(r.OneOf("kind", string(MoveIn), string(MoveOut), string(MoveWithin))), On: r.Day("moved_on")}
			if r.Optional("other_municipality", 6) != "" {
				m.Other = r.Municipality("other_municipality")
			}
			return about[Move]{readRef(r), m}
		},
		Key:   func(v about[Move]) string { return key(v.ref) + " " + v.value.On.String() + " " + string(v.value.Kind) },
		Store: events(x, "moves", x.Rows.AddMoves),
	}
}

func (x *Registry) deaths() importing.Sheet[about[Death]] {
	return importing.Sheet[about[Death]]{
		File:    "deaths.csv",
		Columns: importing.Columns("resident_ref", "municipality_code", "died_on", "registered_on"),
		Parse: func(r *importing.Row) about[Death] {
			return about[Death]{readRef(r), Death{r.DayUntil("died_on", x.today()), x.after(r, "registered_on", "died_on")}}
		},
		Key:   func(v about[Death]) string { return key(v.ref) },
		Store: events(x, "deaths", x.Rows.AddDeaths),
	}
}

func (x *Registry) income() importing.Sheet[about[Income]] {
	return importing.Sheet[about[Income]]{
		File:    "income.csv",
		Columns: importing.Columns("resident_ref", "municipality_code", "tax_year", "income_yen", "resident_tax_yen", "dependants", "exempt"),
		Parse: func(r *importing.Row) about[Income] {
			return about[Income]{readRef(r), Income{
				TaxYear: r.Whole("tax_year", 1900, 2200), IncomeYen: r.Yen("income_yen"), ResidentTaxYen: r.Yen("resident_tax_yen"),
				Dependants: r.Whole("dependants", 0, 99), Exempt: r.Flag("exempt"),
			}}
		},
		Key: func(v about[Income]) string {
			return key(v.ref) + " " + civil.Date{Year: int(v.value.TaxYear), Month: 1, Day: 1}.String()
		},
		Store: facts(x, "income", replaceable, func(ctx context.Context, t tx.Tx, _ []identity.MunicipalityCode, rows []Fact[Income]) ([]importing.Result, error) {
			return x.Rows.AddIncome(ctx, t, rows)
		}),
		Replace: func(ctx context.Context, t tx.Tx, who actor.System, e importing.Entry[about[Income]]) error {
			f, err := one(ctx, t, x.Rows, e)
			if err != nil {
				return err
			}
			if err := x.Rows.ReplaceIncome(ctx, t, f); err != nil {
				return err
			}
			return x.changed(ctx, t, who, "income", f.Citizen, e.Value.ref.Municipality)
		},
	}
}

// after reads a day that is not before the day in another column, nor in the future.
func (x *Registry) after(r *importing.Row, column, earlier string) civil.Date {
	d := r.DayUntil(column, x.today())
	if from := r.OptionalDay(earlier); r.OK() && d.Before(from) {
		r.Fault(column, "lies before "+earlier)
	}
	return d
}
