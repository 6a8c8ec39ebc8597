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

const (
	runResidents = 12000 // a run of several pages
	runKills     = 3
)

// TestARunGoesOnAfterTheBackendWasKilled kills the backend while a run works, and finds
// exactly the awards that the dry run counted.
func TestARunGoesOnAfterTheBackendWasKilled(t *testing.T) {
	ctx := limit(t, 5*time.Minute)
	s, _ := openHouse(t, ctx, stage.Options{Programs: forPractice(t), Residents: runResidents})
	g := tour.Guide{Stage: s, Rand: rand.Reader}
	clerk := clerkOf(t, ctx, &g)
	run, err := clerk.DraftOneOff(ctx, s.Clock.Now().AddDate(0, 0, 20))
	if err != nil {
		t.Fatal(err)
	}
	act(t, ctx, clerk, run, "count")
	if _, err := clerk.AwaitAct(ctx, run, "start"); err != nil {
		t.Fatal(err)
	}
	counted, err := clerk.Counted(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	act(t, ctx, clerk, run, "start")
	killed := 0
	for killed < runKills && midway(t, ctx, clerk, run, counted) {
		killed++
		clerk = revive(t, ctx, &g)
	}
	if killed == 0 {
		t.Error("the run was over before it could be killed: it needs more residents")
	}
	if err := clerk.AwaitRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	got, err := clerk.Awards(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed %d times; awards %v", killed, got)
	if !maps.Equal(got, counted) {
		t.Errorf("the run made %v, the dry run counted %v", got, counted)
	}
}

func act(t *testing.T, ctx context.Context, clerk *tour.Console, run, what string) {
	t.Helper()
	if err := clerk.ActOnRun(ctx, run, what); err != nil {
		t.Fatal(err)
	}
}

// midway waits until the run has made some awards and not all. It is false when the run is
// over.
func midway(t *testing.T, ctx context.Context, clerk *tour.Console, run string, all map[string]int) bool {
	t.Helper()
	before, err := clerk.Awards(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	for {
		working, err := clerk.Working(ctx, run)
		if err != nil {
			t.Fatal(err)
		}
		if !working {
			return false
		}
		now, err := clerk.Awards(ctx, run)
		if err != nil {
			t.Fatal(err)
		}
		if now["noticed"] > before["noticed"] && now["noticed"] < all["noticed"] {
			return true
		}
	}
}

// revive kills the backend, lets the time pass after which the page whose job died is
// missed, and starts it again.
func revive(t *testing.T, ctx context.Context, g *tour.Guide) *tour.Console {
	t.Helper()
	g.Stage.Backend.Kill()
	<-g.Stage.Backend.Done()
	if err := g.Stage.Clock.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := g.Stage.StartBackend(ctx); err != nil {
		t.Fatal(err)
	}
	return clerkOf(t, ctx, g)
}

func clerkOf(t *testing.T, ctx context.Context, g *tour.Guide) *tour.Console {
	t.Helper()
	c, err := g.Console(ctx, population.SubMinatoClerk2)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
