package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	perSecond := fill(b, ctx, terminal)
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

// fill records checks through the desk's form, as 16 receptionists would.
func fill(b *testing.B, ctx context.Context, t *stage.Terminal) (perSecond float64) {
	b.Helper()
	client, csrf, err := t.Open(ctx)
	if err != nil {
		b.Fatal(err)
	}
	var next, failed atomic.Int64
	var work sync.WaitGroup
	began := time.Now()
	for range 16 {
		work.Go(func() {
			for next.Add(1) <= waiting {
				form := url.Values{
					"insurer_number": {"33120015"}, "number": {strconv.Itoa(1000 + int(next.Load()))}, "birth_date": {"1980-04-01"},
					"evidence": {"certificate"}, "copayment": {"30"}, "override": {"1"},
				}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Desk()+"/checks", strings.NewReader(form.Encode()))
				if err != nil {
					failed.Add(1)
					return
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("HX-Request", "true")
				req.Header.Set("X-CSRF-Token", csrf)
				resp, err := client.Do(req)
				if err != nil {
					failed.Add(1)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusCreated {
					failed.Add(1)
				}
			}
		})
	}
	work.Wait()
	if failed.Load() > 0 {
		b.Fatalf("%d records were not confirmed", failed.Load())
	}
	return waiting / time.Since(began).Seconds()
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

// resident gives the memory in MB that a process holds for itself: resident pages that are
// not the mapped queue file, which the system takes back when it needs them.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("resident memory is read from /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	b.Fatal("the process tells no resident memory")
	return 0
}
