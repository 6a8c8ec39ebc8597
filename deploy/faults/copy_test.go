package faults_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// suspicion is what the console says of a terminal that speaks from two machines.
const suspicion = "同じ端末が2台あります"

// Two machines are restored from the image of one terminal's disk and both record. The
// backend takes everything that they confirmed, and whoever looks after the terminals is
// shown that one has been copied; before, nobody is.
func TestTwoTerminalsFromOneDiskAreFoundOut(t *testing.T) {
	ctx := limit(t, 5*time.Minute)
	s := house(t, ctx)
	one := witness.New(t, ctx, s, enrol(t, ctx, s))
	one.Start()
	one.Record()
	one.AllSent()
	if err := one.Terminal.Process().Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	twin, err := s.Copy(one.Terminal)
	if err != nil {
		t.Fatal(err)
	}
	one.Start()
	one.Record()
	one.AllSent()
	manager := managerOf(t, ctx, s)
	if n, shown := forks(t, ctx, one), suspected(t, ctx, manager); n != 0 || shown {
		t.Errorf("one machine alone: %d forks, the console shows it: %v", n, shown)
	}
	two := one.At(twin)
	two.Start()
	two.Record()
	two.AllSent()
	one.Record()
	one.AllSent()
	if n, shown := forks(t, ctx, one), suspected(t, ctx, manager); n == 0 || !shown {
		t.Errorf("two machines: %d forks, the console shows it: %v", n, shown)
	}
	one.MustHold()
}

func managerOf(t *testing.T, ctx context.Context, s *stage.Stage) *tour.Console {
	t.Helper()
	g := tour.Guide{Stage: s, Rand: rand.Reader}
	c, err := g.Console(ctx, population.SubMinatoManager)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// suspected tells whether the console shows the suspicion.
func suspected(t *testing.T, ctx context.Context, c *tour.Console) bool {
	t.Helper()
	shown, err := c.Shows(ctx, "/office/terminals", suspicion)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// forks counts the security events of that kind.
func forks(t *testing.T, ctx context.Context, w *witness.Witness) (n int) {
	t.Helper()
	db := w.Store()
	defer db.Close()
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM intake_event WHERE kind = 'fork'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
