package payer

import (
	"testing"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/identity"
)

func day(t *testing.T, s string) civil.Date {
	t.Helper()
	var d civil.Date
	if err := d.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTheWordIsForTheVisitDay is the table of what a payer says: the asked coverages
// ("from/to" of a person), the person's other coverages, the visit day, the word.
func TestTheWordIsForTheVisitDay(t *testing.T) {
	type span struct{ who, from, to string }
	for name, c := range map[string]struct {
		asked  []span
		others []span
		visit  string
		want   eligibility.Validity
		about  string // valid_from of the coverage told of
	}{
		"nobody":                       {nil, nil, "2026-11-21", eligibility.NoneFound, ""},
		"in the middle":                {[]span{{"a", "2025-04-01", ""}}, nil, "2026-11-21", eligibility.Valid, "2025-04-01"},
		"the first day":                {[]span{{"a", "2026-11-21", ""}}, nil, "2026-11-21", eligibility.Valid, "2026-11-21"},
		"the day before":               {[]span{{"a", "2026-11-22", ""}}, nil, "2026-11-21", eligibility.Invalid, "2026-11-22"},
		"the last day":                 {[]span{{"a", "2025-04-01", "2026-11-21"}}, nil, "2026-11-21", eligibility.Valid, "2025-04-01"},
		"the day after":                {[]span{{"a", "2025-04-01", "2026-11-20"}}, nil, "2026-11-21", eligibility.Invalid, "2025-04-01"},
		"ended, another began":         {[]span{{"a", "2025-04-01", "2026-10-31"}}, []span{{"a", "2026-11-01", ""}}, "2026-11-21", eligibility.NewerCoverage, "2025-04-01"},
		"late check, valid then":       {[]span{{"a", "2025-04-01", "2026-10-31"}}, []span{{"a", "2026-11-01", ""}}, "2026-10-30", eligibility.Valid, "2025-04-01"},
		"another, not on that day":     {[]span{{"a", "2025-04-01", "2026-10-31"}}, []span{{"a", "2026-12-01", ""}}, "2026-11-21", eligibility.Invalid, "2025-04-01"},
		"back under the same number":   {[]span{{"a", "2020-04-01", "2021-03-31"}, {"a", "2026-04-01", ""}}, nil, "2026-11-21", eligibility.Valid, "2026-04-01"},
		"valid in the earlier stretch": {[]span{{"a", "2020-04-01", "2021-03-31"}, {"a", "2026-04-01", ""}}, nil, "2020-05-05", eligibility.Valid, "2020-04-01"},
		"between the stretches":        {[]span{{"a", "2020-04-01", "2021-03-31"}, {"a", "2026-04-01", ""}}, nil, "2023-05-05", eligibility.Invalid, "2026-04-01"},
		"overlapping stretches":        {[]span{{"a", "2020-04-01", ""}, {"a", "2026-04-01", ""}}, nil, "2026-11-21", eligibility.Valid, "2026-04-01"},
		"two persons":                  {[]span{{"a", "2025-04-01", ""}, {"b", "2025-04-01", ""}}, nil, "2026-11-21", eligibility.SeveralFound, ""},
		"two persons, one ended":       {[]span{{"a", "2025-04-01", "2025-05-01"}, {"b", "2025-04-01", ""}}, nil, "2026-11-21", eligibility.SeveralFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			make := func(spans []span) []Coverage {
				var out []Coverage
				for _, s := range spans {
					out = append(out, Coverage{Citizen: identity.CitizenID(s.who), ValidFrom: day(t, s.from), ValidTo: day(t, s.to)})
				}
				return out
			}
			asked := make(c.asked)
			got, about, err := decide(day(t, c.visit), asked, func(identity.CitizenID) ([]Coverage, error) {
				return append(make(c.others), asked...), nil
			})
			if err != nil || got != c.want || about.ValidFrom.String() != c.about {
				t.Errorf("got %q about %s, error %v; want %q about %s", got, about.ValidFrom, err, c.want, c.about)
			}
		})
	}
}

func TestNumbersAreComparedAsPeopleWriteThem(t *testing.T) {
	want := keyOf("990119", "みな-12", "0034A")
	for _, k := range []Key{
		keyOf("００９９０１１９", "みな１２", "００３４ａ"),
		keyOf(" 990119", "みな ‐12", "00-34A"),
		keyOf("00990119", "みなー12", "0034Ａ"),
	} {
		if k != want {
			t.Errorf("a key is different: %t %t %t", k.Insurer == want.Insurer, k.Symbol == want.Symbol, k.Number == want.Number)
		}
	}
	if keyOf("990119", "みな12", "034A") == want {
		t.Error("a leading zero was lost")
	}
}
