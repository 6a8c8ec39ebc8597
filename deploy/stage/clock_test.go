package stage

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAClockGoesForwardAndTellsThePrograms(t *testing.T) {
	c := &Clock{file: filepath.Join(t.TempDir(), clockName)}
	before := time.Now()
	if err := c.Advance(21 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	at := before.AddDate(0, 0, 30)
	if err := c.SetTo(at); err != nil {
		t.Fatal(err)
	}
	if got := c.Now(); got.Before(at) || got.After(at.Add(time.Minute)) {
		t.Errorf("the clock says %v instead of %v", got, at)
	}
	raw, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	ahead, err := time.ParseDuration(string(raw[:len(raw)-1]))
	if err != nil || ahead != c.ahead {
		t.Errorf("the file says %q: %v", raw, err)
	}
	if c.Advance(-time.Second) == nil || c.SetTo(before) == nil {
		t.Error("the clock went back")
	}
	if want := clockVariable + "=" + c.file; len(c.environment()) != 1 || c.environment()[0] != want {
		t.Errorf("the programs are told %v", c.environment())
	}
}

func TestDeliveredProgramsHaveNoClockToMove(t *testing.T) {
	c := &Clock{}
	if c.Advance(time.Hour) == nil || c.SetTo(time.Now().AddDate(1, 0, 0)) == nil || c.environment() != nil {
		t.Error("a clock that no program reads was moved")
	}
}
