package worker_test

import (
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	approvalrows "madoguchi.example/backend/internal/store/approval"
	awardrows "madoguchi.example/backend/internal/store/award"
	"madoguchi.example/backend/internal/store/folk"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/worker"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/civil"
)

// TestRunByJobs: the engine works through counting and the run, and the family has its
// notice.
func TestRunByJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		town := folk.Settle(t, db)
		engine, err := rule.Load(programs.FS)
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := job.Open(db, job.Config{Now: time.Now, Retry: func(int) time.Duration { return 10 * time.Millisecond }})
		if err != nil {
			t.Fatal(err)
		}
		mail := mailbox.New(mailbox.Deps{Runner: db.Runner(), Rows: mailboxrows.New(db.Reads()), People: town.Registry,
			Pushes: pushrows.New(db.Reads()), Protection: town.Protection, Queue: jobs, Record: town.Log, IDs: town.IDs, Now: town.Now})
		desk := approval.New(approval.Deps{Runner: db.Runner(), Rows: approvalrows.New(db.Reads()), Record: town.Log, IDs: town.IDs, Now: town.Now})
		office, err := award.New(award.Deps{Runner: db.Runner(), Rows: awardrows.New(db.Reads()), People: town.Registry, Programs: engine,
			Mail: mail, Approvals: desk, Protections: town.Protection, Queue: jobs, Record: town.Log, Now: town.Now, Rand: town.Rand})
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Awards(jobs, office); err != nil {
			t.Fatal(err)
		}
		if err := jobs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = jobs.Stop(t.Context()) })
		town.Import(t, map[string]string{"benefit_facts.csv": "resident_ref,municipality_code,fact,value,since,source\nR1,990019,paid_by_workplace,false,2026-04-01,申告\n"},
			town.Registry.Importers()...)

		clerk := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
		today := civil.In(town.Now())
		r, err := office.Draft(t.Context(), clerk, audit.BenefitDecision, award.RunDraft{ClientID: "client-id-0000000000", Benefit: "oneoff_kosodate_ouen_2025",
			Month: benefit.Month{Year: 2026, Month: 2}, Deadline: today.AddDays(14), PayOn: today.AddDays(28)})
		if err != nil {
			t.Fatal(err)
		}
		reaches := func(want award.RunState) {
			t.Helper()
			for end := time.Now().Add(waits); ; {
				got, _, _, err := office.Show(t.Context(), clerk, audit.BenefitDecision, r.ID)
				switch {
				case err != nil:
					t.Fatal(err)
				case got.State == want:
					return
				case time.Now().After(end):
					t.Fatalf("the run is %s, not %s", got.State, want)
				}
			}
		}
		if err := office.Count(t.Context(), clerk, audit.BenefitDecision, r.ID); err != nil {
			t.Fatal(err)
		}
		reaches(award.Counted)
		if err := office.Start(t.Context(), clerk, audit.BenefitDecision, r.ID); err != nil {
			t.Fatal(err)
		}
		reaches(award.Done)
		mine, _, err := office.Mine(t.Context(), town.Citizen(t, "990019", "R1"), audit.Self)
		if err != nil || len(mine) != 1 || mine[0].Amount != 40000 {
			t.Errorf("%d awards, %v", len(mine), err)
		}
		if n := town.Count(t, `SELECT count(*) FROM river_job WHERE kind = $1`, push.Batch{}.Kind()); n != 1 {
			t.Errorf("%d push jobs", n)
		}
	})
}
