package faults_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"madoguchi.example/deploy/faults/amnesia"
	"madoguchi.example/deploy/faults/witness"
)

// maxSteps is within how many changes and syncs of its disk a terminal loses power.
const maxSteps = 60

// restart is the power coming back.
func restart(t *testing.T, disk *amnesia.FS, torn bool) {
	t.Helper()
	if err := disk.Restart(torn); err != nil {
		t.Fatal(err)
	}
}

// wholeFile fails the test when the terminal had to put its file aside.
func wholeFile(t *testing.T, w *witness.Witness) {
	t.Helper()
	if aside, err := filepath.Glob(filepath.Join(w.Terminal.Dir, "state", "*.damaged*")); err != nil || len(aside) > 0 {
		t.Errorf("the terminal put aside %v: %v", aside, err)
	}
}

// The power goes while four hands record: at a random change or sync after the start, at
// one of the start itself, or when the agent has been killed. Every other time what was not
// synced is forgotten, else a random part of it.
func TestNothingConfirmedIsLostWhenThePowerFails(t *testing.T) {
	c := counts(t)
	ctx := limit(t, long)
	w, disk := forgetful(t, ctx)
	restart(t, disk, false) // the enrolment is as durable as a record
	coins := rand.New(rand.NewPCG(6, 1))
	cuts := 0
	for i := range c.PowerCuts {
		if i%4 == 3 {
			w.Stage.Line.Cut()
		}
		gone := make(<-chan struct{})
		if i%3 == 1 {
			gone = disk.CutAfter(coins.IntN(maxSteps))
		}
		if w.TryStart() == nil {
			if i%3 == 0 {
				gone = disk.CutAfter(coins.IntN(maxSteps))
			}
			w.TryUntil(c.RecordsPerKill, gone)
		}
		select {
		case <-gone:
			cuts++
		default:
		}
		w.Kill()
		restart(t, disk, i%2 == 1)
		w.Restore()
	}
	w.Start()
	w.Record()
	w.AllSent()
	w.MustHold()
	wholeFile(t, w)
	if cuts < c.PowerCuts/3 {
		t.Errorf("only %d of %d times the power went while the terminal worked", cuts, c.PowerCuts)
	}
}

// The power goes at every single step that one record needs.
func TestARecordIsKeptOrNotConfirmedAtEveryStep(t *testing.T) {
	ctx := limit(t, 10*time.Minute)
	w, disk := forgetful(t, ctx)
	w.Stage.Line.Cut()
	w.Start()
	w.Record() // what a first record makes is there
	w.Kill()
	steps := 0
	for torn := false; ; torn = !torn {
		w.Start()
		gone := disk.CutAfter(steps)
		a := w.Try()
		w.Kill()
		restart(t, disk, torn)
		select {
		case <-gone:
		default:
			if !a.Confirmed() {
				t.Fatalf("with all its power the desk answered %d: %s", a.Status, a.Text)
			}
			goto done
		}
		steps++
	}
done:
	w.Restore()
	w.Start()
	w.AllSent()
	w.MustHold()
	wholeFile(t, w)
	t.Logf("one record needs %d steps", steps)
	if steps < 3 {
		t.Errorf("a record needs %d steps: that is less than a write and a sync", steps)
	}
}

// Control: on a disk that answers every sync well and keeps nothing, the same must be found
// out.
func TestTheAuditFindsADiskThatDoesNotSync(t *testing.T) {
	ctx := limit(t, 5*time.Minute)
	w, disk := forgetful(t, ctx)
	w.Start()
	w.Record()
	w.AllSent()
	w.Stage.Line.Cut()
	disk.SetDeaf(true)
	for range 3 {
		w.Record()
	}
	w.Kill()
	disk.SetDeaf(false)
	restart(t, disk, false)
	w.Restore()
	w.Start()
	w.AllSent()
	w.MustFind(witness.Lost)
}
