package e2e_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"madoguchi.example/deploy/stage"
)

// waiting is how many records the agent holds when it is measured.
const waiting = 10_000

// BenchmarkAgent measures the built agent as a whole process: its size on disk, the time
// from start to a listening desk, and its resident memory, both with waiting records in
// the queue and with none. The line is cut, so that they stay.
func BenchmarkAgent(b *testing.B) {
	ctx := limit(b, 20*time.Minute)
	s, terminal := open(b, ctx, stage.Options{Residents: 100})
	info, err := os.Stat(s.Programs.Path(stage.Agent))
	if err != nil {
		b.Fatal(err)
	}
	empty, emptyStart := startAgent(b, ctx, terminal)
	s.Line.Cut()
	perSecond, err := terminal.Fill(ctx, waiting)
	if err != nil {
		b.Fatal(err)
	}
	full := resident(b, terminal.Process().Pid())
	if err := terminal.Process().Stop(10 * time.Second); err != nil {
		b.Fatal(err)
	}
	again, fullStart := startAgent(b, ctx, terminal)
	for b.Loop() {
		_ = again
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
	b.ReportMetric(emptyStart.Seconds()*1e3, "ms-start-empty")
	b.ReportMetric(fullStart.Seconds()*1e3, "ms-start-10k")
	b.ReportMetric(empty, "MB-resident-empty")
	b.ReportMetric(full, "MB-resident-after-filling")
	b.ReportMetric(again, "MB-resident-10k")
	b.ReportMetric(perSecond, "desk-records/s")
}

// startAgent starts the agent and gives its resident memory in MB once its desk answers,
// and how long that took.
func startAgent(b *testing.B, ctx context.Context, t *stage.Terminal) (float64, time.Duration) {
	b.Helper()
	began := time.Now()
	if err := t.Start(ctx); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	client, _, err := t.Open(ctx)
	if err != nil {
		b.Fatal(err)
	}
	get(b, ctx, client, t.Desk()+"/")
	return resident(b, t.Process().Pid()), took
}

func get(b *testing.B, ctx context.Context, client *http.Client, address string) {
	b.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("the desk answered %d", resp.StatusCode)
	}
}

func resident(b *testing.B, pid int) float64 {
	b.Helper()
	mb, err := stage.Resident(pid)
	if err != nil {
		b.Skip(err)
	}
	return mb
}
