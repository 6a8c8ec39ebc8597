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

// storeOffices changes offices in place: an office is no citizen.
func (f *Fleet) storeOffices(ctx context.Context, t tx.Tx, _ actor.System, batch []importing.Entry[Office]) ([]importing.Verdict, error) {
	verdicts := make([]importing.Verdict, len(batch))
	for i, e := range batch {
		known, err := f.Rows.OfficesByRef(ctx, t, e.Value.Municipality, e.Value.Ref, 1)
		if err != nil {
			return nil, err
		}
		if len(known) == 0 {
			if e.Value.ID, err = f.ids.New("ofc"); err != nil {
				return nil, err
			}
		} else {
			e.Value.ID = known[0].ID
		}
		changed, err := f.Rows.PutOffice(ctx, t, e.Value)
		if err != nil {
			return nil, err
		}
		if !changed || len(known) > 0 {
			verdicts[i].Result = importing.Unchanged
		}
	}
	return verdicts, nil
}
