package e2e_test

import (
	"context"
	"crypto/rand"
	"maps"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// runResidents make a run of several pages.
const runResidents = 3000

// TestARunGoesOnAfterTheBackendWasKilled kills the backend while a run works, several
// times, and finds the awards that the same run makes undisturbed.
func TestARunGoesOnAfterTheBackendWasKilled(t *testing.T) {
	undisturbed := runAwards(t, 0)
	if len(undisturbed) < 2 || undisturbed["noticed"] < 100 {
		t.Fatalf("the run made %v", undisturbed)
	}
	if got := runAwards(t, 3); !maps.Equal(got, undisturbed) {
		t.Errorf("the run that was killed made %v, the other one %v", got, undisturbed)
	}
}

func runAwards(t *testing.T, kills int) map[string]int {
	t.Helper()
	ctx := limit(t, 5*time.Minute)
	s, _, _ := open(t, ctx, stage.Options{Programs: forPractice(t), Residents: runResidents})
	g := tour.Guide{Stage: s, Rand: rand.Reader}
	clerk := clerkOf(t, ctx, &g)
	run, err := clerk.DraftOneOff(ctx, s.Clock.Now().AddDate(0, 0, 20))
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range []string{"count", "start"} {
		if err := clerk.ActOnRun(ctx, run, act); err != nil {
			t.Fatal(err)
		}
	}
	for range kills {
		s.Backend.Kill()
		<-s.Backend.Done()
		// Long enough for the page whose job died to be missed.
		if err := s.Clock.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := s.StartBackend(ctx); err != nil {
			t.Fatal(err)
		}
	}
	clerk = clerkOf(t, ctx, &g)
	if err := clerk.AwaitRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	awards, err := clerk.Awards(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	return awards
}

func clerkOf(t *testing.T, ctx context.Context, g *tour.Guide) *tour.Console {
	t.Helper()
	c, err := g.Console(ctx, population.SubMinatoClerk2)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
