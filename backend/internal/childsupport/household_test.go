package childsupport_test

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

// member is one row of a household of three generations.
type member struct{ ref, relation, born string }

// threeGenerations are grandparents, the mother of the child, her brother, and the child:
// the register does not say who is whose parent.
var threeGenerations = []member{
	{"Gh", "head", "1958-01-02"}, {"Gs", "spouse", "1960-03-04"}, {"Gm", "child", "1995-05-06"},
	{"Gb", "child", "2010-07-08"}, {"Gc", "other", "2023-06-10"},
}

// home settles a household.
func (b *bench) home(t *testing.T, household string, members []member) {
	t.Helper()
	people := "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"
	homes := "household_ref,municipality_code,resident_ref,relation,since\n"
	for _, m := range members {
		people += fmt.Sprintf("%s,%s,磯野,%s,イソノ,ア,ISONO,%s,%s,1,100-0001,みなと市1,%s\n", m.ref, minato, m.ref, m.ref, m.born, m.born)
		homes += fmt.Sprintf("%s,%s,%s,%s,2026-01-01\n", household, minato, m.ref, m.relation)
	}
	b.load(t, map[string]string{"residents.csv": people, "households.csv": homes}, b.Registry.Importers()...)
}

// A protection of anybody of the household beats the offer: the head and the spouse are not
// always the parents, and who left may still have to be kept from being found.
func TestAProtectionOfAnybodyAtHomeBeatsTheOffer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, who := range []string{"Gm", "Gb", "Gs", "the spouse who moved out"} {
			t.Run(who, func(t *testing.T) {
				b := open(t, storetest.Open(t, db.Engine()))
				b.home(t, "HG", threeGenerations)
				ref := who
				if strings.HasPrefix(who, "the") {
					ref = "Gs"
					b.load(t, map[string]string{"moves.csv": "resident_ref,municipality_code,kind,moved_on,other_municipality\nGs,990019,out,2026-10-01,990027\n"},
						b.Registry.Importers()...)
				}
				id := b.flagged(t, "G")[0].ID
				must(t, b.Assess(t.Context(), ann, why, id, propose))
				b.protect(t, ref)
				must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
				if got := b.state(t, id); got != childsupport.WithPerson || b.sent(t) != 0 || b.Count(t, `SELECT count(*) FROM river_job`) != 0 {
					t.Errorf("state %s, %d notices", got, b.sent(t))
				}
				tasks, err := b.prot.Waiting(t.Context(), pat, audit.Protection, 10)
				if err != nil || len(tasks) != 1 || tasks[0].Object != id || tasks[0].What != protection.Offer {
					t.Errorf("the protectors' list: %+v, %v", tasks, err)
				}
			})
		}
	})
}

// A household too large to be named in one letter goes to a person, not to nobody.
func TestAVeryLargeHousehold(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	home := threeGenerations
	for n := range 30 {
		home = append(home, member{fmt.Sprintf("Gx%d", n), "other", "1990-01-02"})
	}
	b.home(t, "HG", home)
	id := b.flagged(t, "G")[0].ID
	must(t, b.Assess(t.Context(), ann, why, id, propose))
	must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
	if got := b.state(t, id); got != childsupport.WithPerson || b.sent(t) != 0 {
		t.Errorf("state %s, %d notices", got, b.sent(t))
	}
}
