package faults_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/wire"
)

// await waits until something holds.
func await(t *testing.T, ctx context.Context, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not come to be so")
		}
	}
}

// A terminal that is started on a disk that takes not one byte more sends what waits in its
// file as soon as the line is there: nobody has to make room first. On one that takes no
// write at all it sends it too; that it was taken is noted when the disk takes writes again.
func TestAFullDiskDrains(t *testing.T) {
	ctx := limit(t, 2*time.Minute)
	w, disk := forgetful(t, ctx)
	for _, readOnly := range []bool{false, true} {
		w.Stage.Line.Cut()
		w.Start()
		for range wire.LiveRecords { // no backlog, which would begin at a random time
			w.Record()
		}
		if readOnly {
			disk.SetReadOnly(true)
		} else {
			disk.SetCapacity(disk.Used())
		}
		w.Kill()
		restart(t, disk, false)
		if err := w.Terminal.Start(ctx); err != nil {
			t.Fatalf("it does not start: %v\n%s", err, w.Terminal.Process().Output())
		}
		w.Restore()
		w.AllArrived()
		if !readOnly { // pages that the file has take what the backend says
			await(t, ctx, func() bool { return strings.Contains(w.Bar(), "送信待ち 0件") })
		}
		disk.SetReadOnly(false)
		disk.SetCapacity(0)
		await(t, ctx, func() bool { return strings.Contains(w.Bar(), "送信待ち 0件") })
		w.Kill()
	}
	w.MustHold()
	wholeFile(t, w)
}
