package fleet

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/firmware-config/profile"
)

// Importer reads offices.csv: office_ref, municipality_code, class, name,
// institution_code (10 digits for a clinic, empty for others).
func (f *Fleet) Importer() importing.Importer {
	return importing.For(importing.Sheet[Office]{
		File: "offices.csv",
		Columns: []importing.Column{
			{Name: "office_ref"}, {Name: "municipality_code"}, {Name: "class"},
			{Name: "name", Free: true}, {Name: "institution_code"},
		},
		Parse: parseOffice,
		Key:   func(o Office) string { return string(o.Municipality) + "/" + o.Ref },
		Store: f.storeOffices,
		Replace: func(ctx context.Context, t tx.Tx, _ actor.System, e importing.Entry[Office]) error {
			return f.putOffice(ctx, t, e.Value)
		},
	})
}

func parseOffice(r *importing.Row) Office {
	o := Office{
		Ref:          r.Ref("office_ref"),
		Municipality: r.Municipality("municipality_code"),
		Class: profile.Class(r.OneOf("class", string(profile.Clinic), string(profile.InsurerCounter),
			string(profile.Counter), string(profile.Shelter))),
		Name: r.Text("name", profile.MaxNameCharacters),
	}
	if o.Class == profile.Clinic {
		o.Institution = r.Digits("institution_code", 10)
	} else if r.Optional("institution_code", 10) != "" {
		r.Fault("institution_code", "belongs to clinics only")
	}
	return o
}

func (f *Fleet) storeOffices(ctx context.Context, t tx.Tx, _ actor.System, batch []importing.Entry[Office]) ([]importing.Verdict, error) {
	verdicts := make([]importing.Verdict, len(batch))
	for i, e := range batch {
		known, err := f.known(ctx, t, e.Value)
		if err != nil {
			return nil, err
		}
		switch {
		case known == Office{}:
			if err := f.putOffice(ctx, t, e.Value); err != nil {
				return nil, err
			}
			verdicts[i].Result = importing.Added
		case known == Office{ID: known.ID, Municipality: e.Value.Municipality, Ref: e.Value.Ref, Class: e.Value.Class,
			Name: e.Value.Name, Institution: e.Value.Institution}:
			verdicts[i].Result = importing.Unchanged
		default:
			verdicts[i].Result = importing.Changed
		}
	}
	return verdicts, nil
}

// known gives the stored office of the row, the zero Office where there is none.
func (f *Fleet) known(ctx context.Context, t tx.Tx, o Office) (Office, error) {
	found, err := f.Rows.OfficesByRef(ctx, t, o.Municipality, o.Ref, 1)
	if err != nil || len(found) == 0 {
		return Office{}, err
	}
	return found[0], nil
}

// putOffice stores a new office, or the change of one, which keeps its id.
func (f *Fleet) putOffice(ctx context.Context, t tx.Tx, o Office) error {
	id, err := f.ids.New("ofc")
	if err != nil {
		return err
	}
	o.ID = id
	return f.Rows.PutOffice(ctx, t, o)
}
