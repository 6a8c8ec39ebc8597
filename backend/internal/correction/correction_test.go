package correction_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store"
	correctionrows "madoguchi.example/backend/internal/store/correction"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
)

const doses = `record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country
V1,R1,990019,208,コミナティ筋注,ファイザー,PX0001,1,2021-07-01,みなと市集団接種会場,JPN
V3,R2,990019,218,コミナティ筋注5～11歳用,ファイザー,PC0001,1,2022-04-01,みなと市保健センター,JPN
`

var (
	clerk     = actor.Staff{ID: "stf_c", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
	protector = actor.Staff{ID: "stf_p", Municipality: "990019", Roles: []actor.Role{actor.Clerk, actor.Protector}}
	elsewhere = actor.Staff{ID: "stf_e", Municipality: "990027", Roles: []actor.Role{actor.Clerk}}
	auditor   = actor.Staff{ID: "stf_a", Municipality: "990019", Roles: []actor.Role{actor.Auditor}}
)

type bench struct {
	*folk.Town
	folk.Papers
	*correction.Desk
}

func open(t *testing.T, db *store.DB) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	p := w.Papers(t)
	w.Import(t, map[string]string{"vaccinations.csv": doses}, p.Office.Importer())
	return &bench{w, p, correction.New(correction.Deps{Runner: db.Runner(), Rows: correctionrows.New(db.Reads()), Family: w.Registry, Records: p.Office,
		Keeper: w.Keeper, Mail: p.Mail, Protection: w.Protection, Record: w.Log, IDs: w.IDs, Now: w.Now})}
}

func (b *bench) ask(t *testing.T, who actor.Citizen, key string, asked correction.Asked) (correction.Request, error) {
	t.Helper()
	return b.Ask(t.Context(), who, audit.RecordCorrection, key, asked)
}

func key(n int) string { return fmt.Sprintf("key-%016d", n) }

func TestAskAndAnswer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		mother, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
		c, err := b.Office.Issue(t.Context(), mother, audit.CertificateIssuance, key(1), issuance.Asked{Person: child.ID, Use: issuance.Domestic})
		if err != nil {
			t.Fatal(err)
		}
		asked := correction.Asked{Person: child.ID, Kind: correction.Wrong, Certificate: c.ID, Dose: 1, Words: "ロット番号が母子手帳と\n違います。"}
		r, err := b.ask(t, mother, key(2), asked)
		if err != nil || r.State != correction.Open || r.Counter.NameJA != "みなと市" {
			t.Fatalf("%+v, %v", r, err)
		}
		again, err := b.ask(t, mother, key(2), asked)
		if err != nil || again.Reference != r.Reference {
			t.Errorf("the same call: %s, %v", again.Reference, err)
		}
		asked.Words = "別の話"
		if _, err := b.ask(t, mother, key(2), asked); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the same key for another request: %v", err)
		}
		queue, err := b.Waiting(t.Context(), clerk, audit.RecordCorrection, 10)
		if err != nil || len(queue) != 1 || queue[0].Reference != r.Reference {
			t.Fatalf("queue %v, %v", queue, err)
		}
		d, err := b.Show(t.Context(), clerk, audit.RecordCorrection, strings.ToLower(r.Reference))
		if err != nil || d.BySelf || d.Person.ID != child.ID || len(d.OnRecord) != 1 || d.Certificate == nil || d.Certificate.ID != c.ID || d.Words == "" {
			t.Fatalf("%+v, %v", d, err)
		}
		answer := func(words string) error {
			return b.Answer(t.Context(), clerk, audit.RecordCorrection, r.Reference, correction.Corrected, words)
		}
		if err := answer("番号は 123456789018 です"); fault.CodeOf(err) != fault.MyNumberRefused {
			t.Errorf("a My Number: %v", err)
		}
		if err := answer("ロット番号を直しました。"); err != nil {
			t.Fatal(err)
		}
		if err := answer("もう一度"); fault.CodeOf(err) != fault.Conflict || fault.PlaceOf(err) != "state" {
			t.Errorf("answered twice: %v", err)
		}
		list, _, err := b.List(t.Context(), mother, audit.Self)
		if err != nil || len(list) != 1 || list[0].State != correction.Corrected || list[0].Answer != "ロット番号を直しました。" || list[0].AnsweredAt.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		if n := b.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1`, mother.ID); n != 1 {
			t.Errorf("%d notices", n)
		}
		seen, _, err := b.Registry.AccessLog(t.Context(), child, audit.Self, "", 10)
		var acts []string
		for _, s := range seen {
			acts = append(acts, s.Action)
		}
		if all := strings.Join(acts, " "); err != nil || !strings.Contains(all, "correction.answer") || !strings.Contains(all, "correction.read") || !strings.Contains(all, "correction.ask") {
			t.Errorf("the access record shows %s, %v", all, err)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		mother, child, single := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2"), b.Citizen(t, "990019", "R4")
		for name, c := range map[string]struct {
			who   actor.Citizen
			asked correction.Asked
			code  fault.Code
			place string
		}{
			"a neighbour's child": {single, correction.Asked{Person: child.ID, Kind: correction.Missing, Words: "x"}, fault.NotFound, "body.person"},
			"a kind":              {mother, correction.Asked{Person: mother.ID, Kind: "other", Words: "x"}, fault.InvalidArgument, "body.kind"},
			"no words":            {mother, correction.Asked{Person: mother.ID, Kind: correction.Missing}, fault.InvalidArgument, "body.words"},
			"too many":            {mother, correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: strings.Repeat("あ", correction.MaxWords+1)}, fault.TooLarge, "body.words"},
			"a My Number":         {mother, correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: "わたしは 1234 5678 9018 です"}, fault.MyNumberRefused, "body.words"},
			"a dose":              {mother, correction.Asked{Person: mother.ID, Kind: correction.Wrong, Dose: 21, Words: "x"}, fault.InvalidArgument, "body.dose"},
			"no such certificate": {mother, correction.Asked{Person: mother.ID, Kind: correction.Wrong, Certificate: "crt_x", Words: "x"}, fault.NotFound, "body.certificate"},
		} {
			if _, err := b.ask(t, c.who, key(10), c.asked); fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
				t.Errorf("%s: %v at %s", name, err, fault.PlaceOf(err))
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM correction`); n != 0 {
			t.Errorf("%d requests are kept", n)
		}
	})
}

func TestEnoughForOneDay(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	mother := b.Citizen(t, "990019", "R1")
	asked := correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: "記録がない"}
	for n := range correction.MaxPerDay {
		if _, err := b.ask(t, mother, key(n), asked); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.ask(t, mother, key(100), asked); fault.CodeOf(err) != fault.RateLimited {
		t.Errorf("one more: %v", err)
	}
	if _, err := b.ask(t, mother, key(0), asked); err != nil {
		t.Errorf("the first call again: %v", err)
	}
	b.Advance(24 * time.Hour)
	if _, err := b.ask(t, mother, key(101), asked); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// A protected person's request is for protectors, and the answer goes by their hands.
func TestProtectedPeople(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		mother := b.Citizen(t, "990019", "R1")
		r, err := b.ask(t, mother, key(1), correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: "記録がない"})
		if err != nil {
			t.Fatal(err)
		}
		b.Import(t, map[string]string{"protections.csv": "resident_ref,municipality_code,kind,since,until\nR1,990019,non_disclosure,2026-01-01,\n"}, b.Protection.Importer())
		for name, c := range map[string]struct {
			who  actor.Staff
			sees int
			code fault.Code
		}{
			"clerk":     {clerk, 0, fault.NotFound},
			"protector": {protector, 1, ""},
			"elsewhere": {elsewhere, 0, fault.NotFound},
		} {
			queue, err := b.Waiting(t.Context(), c.who, audit.RecordCorrection, 10)
			if err != nil || len(queue) != c.sees {
				t.Errorf("%s sees %d, %v", name, len(queue), err)
			}
			if _, err := b.Show(t.Context(), c.who, audit.RecordCorrection, r.Reference); fault.CodeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := b.Waiting(t.Context(), auditor, audit.RecordCorrection, 10); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("an auditor: %v", err)
		}
		if err := b.Answer(t.Context(), protector, audit.RecordCorrection, r.Reference, correction.NothingToCorrect, "確かめました。"); err != nil {
			t.Fatal(err)
		}
		if n := b.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1 AND channel = 'app'`, mother.ID); n != 0 {
			t.Errorf("%d notices went out", n)
		}
	})
}

// Requests about protected people that nobody may see yet do not hide the others' from a
// clerk who looks at the oldest alone.
func TestProtectedRequestsHideNoOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		mother, single := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		for n := range 5 {
			if _, err := b.ask(t, mother, key(n), correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: "記録がない"}); err != nil {
				t.Fatal(err)
			}
		}
		b.Advance(time.Minute)
		for n := range 3 {
			if _, err := b.ask(t, single, key(n), correction.Asked{Person: single.ID, Kind: correction.Missing, Words: "記録がない"}); err != nil {
				t.Fatal(err)
			}
		}
		b.Import(t, map[string]string{"protections.csv": "resident_ref,municipality_code,kind,since,until\nR1,990019,non_disclosure,2026-01-01,\n"}, b.Protection.Importer())
		for who, want := range map[*actor.Staff]int{&clerk: 2, &protector: 2} {
			queue, err := b.Waiting(t.Context(), *who, audit.RecordCorrection, 2)
			if err != nil || len(queue) != want {
				t.Errorf("%s sees %d, %v", who.ID, len(queue), err)
			}
			for _, r := range queue {
				if (r.Person == mother.ID) != (who == &protector) {
					t.Errorf("%s sees another's request first", who.ID)
				}
			}
		}
	})
}

// The same call by many at once asks once.
func TestTheSameCallAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		mother := b.Citizen(t, "990019", "R1")
		got := make(chan string, 16)
		for range cap(got) {
			go func() {
				r, err := b.Ask(context.WithoutCancel(t.Context()), mother, audit.RecordCorrection, key(1),
					correction.Asked{Person: mother.ID, Kind: correction.Missing, Words: "記録がない"})
				if err != nil {
					t.Error(err)
				}
				got <- r.Reference
			}()
		}
		references := map[string]bool{}
		for range cap(got) {
			references[<-got] = true
		}
		if n := b.Count(t, `SELECT count(*) FROM correction`); n != 1 || len(references) != 1 {
			t.Errorf("%d requests, %d references", n, len(references))
		}
	})
}
