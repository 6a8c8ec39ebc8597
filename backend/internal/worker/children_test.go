package worker_test

import (
	"bytes"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	childrows "madoguchi.example/backend/internal/store/childsupport"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/worker"
)

// What was delivered before the worker starts is looked at soon after it does.
func TestAFlagComesSoonAfterADelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		town := folk.Settle(t, db)
		desk, err := childsupport.New(childsupport.Deps{
			Runner: db.Runner(), Rows: childrows.New(db.Reads()), Residents: town.Rows, People: town.Registry, Record: town.Log,
			Key: bytes.Repeat([]byte{1}, childsupport.KeyBytes), Now: town.Now, Rand: town.Rand,
		})
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{
			"residents.csv": `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
C1,990019,山田,三郎,ヤマダ,サブロウ,YAMADA,SABURO,2022-08-10,1,100-0001,みなと市中央一丁目2番3号,2022-08-10
`,
			"childcare.csv": "resident_ref,municipality_code,as_of,facility_kind,recognised,since,last_attended\nC1,990019,2026-11-20,kindergarten,no,2026-04-01,\n",
		}
		if rep := town.Import(t, files, append(town.Registry.Importers(), desk.Importers()...)...); rep.Refused() > 0 {
			t.Fatal(rep)
		}
		jobs, err := job.Open(db, job.Config{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Children(jobs, desk); err != nil {
			t.Fatal(err)
		}
		if err := jobs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = jobs.Stop(t.Context()) })
		who := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.ChildOfficer}}
		deadline := time.After(waits)
		for {
			cases, err := desk.Cases(t.Context(), who, audit.ChildSupport, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(cases) == 1 {
				return
			}
			select {
			case <-deadline:
				t.Fatal("no flag came")
			case <-time.Tick(20 * time.Millisecond):
			}
		}
	})
}
