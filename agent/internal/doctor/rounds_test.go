package doctor_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/terminal"
)

// TestRounds has a terminal that is enrolled while it is looked at.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var enrolled atomic.Bool
		var rounds, changes atomic.Int32
		r := doctor.NewRounds(func() doctor.Parts {
			rounds.Add(1)
			return doctor.Parts{
				Now:       clock,
				Operators: func(context.Context) ([]operator.Operator, error) { return []operator.Operator{{ID: "op_1"}}, nil },
				Enrolment: func(context.Context) error {
					if enrolled.Load() {
						return nil
					}
					return terminal.ErrNotEnrolled
				},
			}
		}, 0, func() { changes.Add(1) })
		if r.Latest() != nil {
			t.Error("something was found before anybody looked")
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		expect := func(round, change int32, words string) {
			t.Helper()
			synctest.Wait()
			got := ""
			for _, f := range doctor.Troubles(r.Latest()) {
				got += string(f.Part) + " " + told(f) + ";"
			}
			if rounds.Load() != round || changes.Load() != change || got != words {
				t.Errorf("round %d, change %d: %s", rounds.Load(), changes.Load(), got)
			}
		}
		expect(1, 1, "enrolment not_enrolled;operators (without_pin);")
		time.Sleep(doctor.DefaultEvery)
		expect(2, 1, "enrolment not_enrolled;operators (without_pin);")
		enrolled.Store(true)
		r.Kick()
		expect(3, 2, "operators (without_pin);")
		stop()
		<-ended
	})
}

// TestAPartThatIsStuckIsNotAskedAgain keeps one call in a dead file system, not one a minute.
func TestAPartThatIsStuckIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		r := doctor.NewRounds(func() doctor.Parts {
			return doctor.Parts{Now: clock, Folder: func(context.Context) oqsfolder.Health {
				asked.Add(1)
				<-release
				return oqsfolder.Health{Ready: true}
			}}
		}, 0, nil)
		for range 3 {
			if f := r.Examine(t.Context()); told(f[0]) != "silent" {
				t.Errorf("%+v", f)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
		close(release)
		synctest.Wait()
		if f := r.Examine(t.Context()); told(f[0]) != "ok" || asked.Load() != 2 {
			t.Errorf("%+v", f)
		}
	})
}

// TestWhoGoesAwayChangesNothing breaks an examination off.
func TestWhoGoesAwayChangesNothing(t *testing.T) {
	r := doctor.NewRounds(func() doctor.Parts {
		return doctor.Parts{Now: clock, Enrolment: func(ctx context.Context) error { return ctx.Err() }}
	}, 0, nil)
	r.Examine(t.Context())
	gone, stop := context.WithCancel(t.Context())
	stop()
	r.Examine(gone)
	if f := r.Latest(); len(f) != 1 || !f[0].OK() {
		t.Errorf("%+v", f)
	}
}
