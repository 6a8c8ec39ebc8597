package e2e_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"os"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// TestThreeWeeksLater moves the practice clock and does what people do before and after: a
// phone stays signed in, an officer signs in again, a terminal goes on by itself.
func TestThreeWeeksLater(t *testing.T) {
	ctx := limit(t, 4*time.Minute)
	s, terminal := open(t, ctx, stage.Options{Programs: forPractice(t), Residents: 200})
	if err := terminal.Start(ctx); err != nil {
		t.Fatal(err)
	}
	g := tour.Guide{Stage: s, Terminals: tour.Terminals{Clinic: terminal}, Rand: rand.Reader}
	phone, err := g.SignIn(ctx, population.SubParent)
	if err != nil {
		t.Fatal(err)
	}
	officer, err := g.Console(ctx, population.SubMinatoClerk)
	if err != nil {
		t.Fatal(err)
	}
	before := phone.Tokens()
	if err := s.Clock.Advance(21 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := phone.Notices(ctx, ""); err != nil {
		t.Errorf("the phone: %v", err)
	}
	if phone.Tokens() == before {
		t.Error("an access token outlived its ten minutes: the backend's clock did not move")
	}
	if status, err := officer.Status(ctx, "/office/"); err != nil || status == http.StatusOK {
		t.Errorf("an officer's session outlived three weeks: %d %v", status, err)
	}
	if _, err := g.Console(ctx, population.SubMinatoClerk); err != nil {
		t.Errorf("the officer: %v", err)
	}
	if _, err := g.SignIn(ctx, population.SubSingle); err != nil {
		t.Errorf("somebody new: %v", err)
	}
	if out, err := s.Tool(ctx, "import", s.PeopleDir()); err != nil {
		t.Errorf("the import: %v\n%s", err, out)
	}
}

// TestDeliveredProgramsKnowNoPracticeClock looks into the built files themselves.
func TestDeliveredProgramsKnowNoPracticeClock(t *testing.T) {
	const variable = "MADOGUCHI_PRACTICE_CLOCK"
	for _, c := range []struct {
		programs stage.Programs
		knows    bool
	}{{programs(t), false}, {forPractice(t), true}} {
		moves, err := c.programs.MoveClocks()
		if err != nil || moves != c.knows {
			t.Errorf("the programs move their clocks: %v %v, want %v", moves, err, c.knows)
		}
		for _, name := range []string{stage.Backend, stage.Agent, stage.Practice} {
			raw, err := os.ReadFile(c.programs.Path(name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte(variable)) != c.knows {
				t.Errorf("%s knows the practice clock: %v", name, !c.knows)
			}
		}
	}
}
