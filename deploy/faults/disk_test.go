package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/faults/amnesia"
	"madoguchi.example/deploy/faults/witness"
)

// tries is how often a desk is asked again until it takes entries as before.
const tries = 20

// recovers fails the test when the desk does not confirm an entry again by itself.
func recovers(t *testing.T, w *witness.Witness) {
	t.Helper()
	var last witness.Answer
	for range tries {
		if last = w.Try(); last.Confirmed() {
			return
		}
	}
	t.Errorf("the desk does not recover: %d %.1500s", last.Status, strings.TrimSpace(last.Text))
}

// refuses fails the test when the desk does not say clearly that nothing is kept: as an
// error, with an alert in the reader's language, and with the form as it was filled in.
func refuses(t *testing.T, a witness.Answer) {
	t.Helper()
	_, alert, _ := strings.Cut(a.Text, `role="alert"`)
	alert, _, _ = strings.Cut(alert, "</p>")
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(alert, "記録") || !strings.Contains(a.Text, `name="number" value="`+a.Number) {
		t.Errorf("the desk answered %d: %.300s", a.Status, a.Text)
	}
}

// Every sync that two records need fails once: what it was for is lost though it is still
// read, or was written all the same. The next entry must be taken, and after a loss of power
// everything confirmed must be there.
func TestEverySyncMayFail(t *testing.T) {
	for _, lost := range []bool{true, false} {
		t.Run(fmt.Sprintf("lost %v", lost), func(t *testing.T) {
			ctx := limit(t, 5*time.Minute)
			w, disk := forgetful(t, ctx)
			w.Stage.Line.Cut()
			w.Start()
			w.Record()
			n := 1
			for ; ; n++ {
				failed := disk.Count().Failed
				disk.FailSync(n, lost)
				for range 2 {
					w.Try()
				}
				if disk.Count().Failed == failed {
					break // it needs no more
				}
				recovers(t, w)
				w.Kill()
				restart(t, disk, n%2 == 0)
				w.Start()
			}
			disk.Mend()
			w.Restore()
			w.AllSent()
			w.MustHold()
			wholeFile(t, w)
			t.Logf("two records need %d syncs", n-1)
			if n == 1 {
				t.Error("a record was confirmed without a sync")
			}
		})
	}
}

// The disk is full, or read-only, while the terminal works and when it starts: the desk
// says so, nothing is lost, and it goes on when the disk does.
func TestADiskThatTakesNothing(t *testing.T) {
	for _, c := range []struct {
		name       string
		bad, again func(*amnesia.FS)
		cause      string // as the log says it
	}{
		{"full", func(d *amnesia.FS) { d.SetCapacity(max(1, d.Used())) }, func(d *amnesia.FS) { d.SetCapacity(0) }, "no space left"},
		{"read-only", func(d *amnesia.FS) { d.SetReadOnly(true) }, func(d *amnesia.FS) { d.SetReadOnly(false) }, "read-only file system"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := limit(t, 5*time.Minute)
			w, disk := forgetful(t, ctx)
			w.Stage.Line.Cut()
			w.Start()
			w.Record()
			c.bad(disk)
			refuses(t, untilRefused(t, w))
			c.again(disk)
			recovers(t, w)

			c.bad(disk)
			w.Kill()
			restart(t, disk, false)
			if err := w.Terminal.Start(ctx); err != nil {
				t.Fatalf("it does not start: %v\n%s", err, w.Terminal.Process().Output())
			}
			refuses(t, untilRefused(t, w)) // whoever was signed in still is
			if said := w.Terminal.Process().Output(); !strings.Contains(said, c.cause) {
				t.Errorf("it does not say why nobody new can open the desk:\n%s", said)
			}
			c.again(disk)
			w.Kill()
			w.Start()
			recovers(t, w)
			w.Restore()
			w.AllSent()
			w.MustHold()
			wholeFile(t, w)
		})
	}
}

// room is more entries than a file takes into the pages that it already has.
const room = 2000

// untilRefused records until the desk refuses.
func untilRefused(t *testing.T, w *witness.Witness) witness.Answer {
	t.Helper()
	for range room {
		if a := w.Try(); !a.Confirmed() {
			return a
		}
	}
	t.Errorf("the desk confirmed %d entries on a disk that takes nothing", room)
	return witness.Answer{}
}
