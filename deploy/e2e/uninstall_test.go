package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/stage"
)

// A terminal that is given up while its line is down: uninstall refuses, then exports; the
// backend takes the file in, once however often, and each record is there once. Nothing of
// the terminal is left to start.
func TestAnUninstalledTerminalsRecordsArrive(t *testing.T) {
	ctx := limit(t, 4*time.Minute)
	s, terminal := open(t, ctx, stage.Options{Residents: 100})
	x := witness.New(t, ctx, s, terminal)
	x.Start()
	for range 2 {
		x.Record()
	}
	x.AllSent()
	s.Line.Cut()
	for range 3 {
		x.Record()
	}
	if err := terminal.Process().Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	const kept = 3 // the exit code where records would be lost
	if out, status, err := terminal.Try(ctx, "uninstall", "--yes"); status != kept {
		t.Fatalf("status %d, %v\n%s", status, err, out)
	}
	file := filepath.Join(t.TempDir(), "export.age")
	if out, status, err := terminal.Try(ctx, "uninstall", "--yes", "--export", file); status != 0 || err != nil {
		t.Fatalf("status %d, %v\n%s", status, err, out)
	}
	for _, want := range []string{": 3 accepted, 0 duplicate, 0 conflict, 0 rejected, 0 damaged", ": 0 accepted, 3 duplicate, 0 conflict, 0 rejected, 0 damaged"} {
		out, err := s.Tool(ctx, "terminal", "import-export", file)
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	for _, f := range x.Audit() {
		if strings.HasPrefix(f, witness.Lost) || strings.HasPrefix(f, witness.Twice) {
			t.Error(f)
		}
	}
	if _, status, _ := terminal.Try(ctx, "queue", "status"); status == 0 {
		t.Error("something of the terminal is left")
	}
}
