package award_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// benchHouseholds is how many households BenchmarkRun takes unless
// MADOGUCHI_BENCH_HOUSEHOLDS says otherwise.
const benchHouseholds = 2000

// BenchmarkRun is a dry run and a run from the store over synthetic households of four, each
// with a decision, its steps and its notice. It reports households per second of each, and
// the live heap at a tenth and at the end of the run: flat memory means that they are alike.
//
//	MADOGUCHI_BENCH_HOUSEHOLDS=100000 go test ./backend/internal/award -run '^$' -bench BenchmarkRun -benchtime 1x -timeout 2h
func BenchmarkRun(b *testing.B) {
	n := benchHouseholds
	if s := os.Getenv("MADOGUCHI_BENCH_HOUSEHOLDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for _, e := range storetest.Engines {
		b.Run(string(e), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := open(b, storetest.Open(b, e))
				o.populate(b, n)
				b.StartTimer()
				o.measure(b, n)
			}
		})
	}
}

// populate imports n households, a file for each part of them.
func (o *office) populate(b *testing.B, n int) {
	const part = 40_000 // households of one file: an import takes at most 200,000 rows
	for first := 0; first < n; first += part {
		var residents, members, told strings.Builder
		residents.WriteString(headResidents)
		members.WriteString("household_ref,municipality_code,resident_ref,relation,since\n")
		told.WriteString("resident_ref,municipality_code,fact,value,since,source\n")
		for i := first; i < min(n, first+part); i++ {
			h := fmt.Sprintf("S%06d", i)
			for _, p := range []person{{h + "a", h, "head", "1985-02-03"}, {h + "b", h, "spouse", "1986-03-04"},
				{h + "c", h, "child", fmt.Sprintf("%d-05-05", 2008+i%17)}, {h + "d", h, "child", fmt.Sprintf("%d-%02d-01", 2010+i%15, 1+i%12)}} {
				fmt.Fprintf(&residents, "%s,%s,佐藤,カナ,サトウ,カナ,SATO,KANA,%s,1,100-0001,みなと市1,%s\n", p.ref, home, p.birth, p.birth)
				fmt.Fprintf(&members, "%s,%s,%s,%s,%s\n", p.household, home, p.ref, p.relation, p.birth)
			}
			fmt.Fprintf(&told, "%sa,%s,paid_by_workplace,%t,2026-04-01,申告\n", h, home, i%20 == 0)
		}
		o.take(b, map[string]string{"residents.csv": residents.String(), "households.csv": members.String(), "benefit_facts.csv": told.String()})
	}
}

// take imports files, again where a busy machine let a transaction run out of time: what is
// there already is not stored twice.
func (o *office) take(b *testing.B, files map[string]string) {
	b.Helper()
	var in []importing.Source
	for name, text := range files {
		in = append(in, importing.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	desk := importing.New(o.DB.Runner(), o.Registry.Importers()...)
	var err error
	for range 20 {
		var rep importing.Report
		if rep, err = desk.Import(b.Context(), actor.System{Name: "import"}, in); err == nil {
			if rep.Refused() > 0 {
				b.Fatal(rep.Files[0].Faults[0])
			}
			return
		}
	}
	b.Fatal(err)
}

// measure counts and runs, with a look at the heap on the way.
func (o *office) measure(b *testing.B, n int) {
	r, err := o.Draft(b.Context(), clerk, decide, draftOf(o, "1"))
	must(b, err)
	for _, phase := range []string{"count", "run"} {
		if phase == "count" {
			must(b, o.Office.Count(b.Context(), clerk, decide, r.ID))
		} else {
			must(b, o.Start(b.Context(), clerk, decide, r.ID))
		}
		begun, pages, peak := time.Now(), 0, watchHeap()
		var tenth, late uint64
		for len(o.queue.jobs) > 0 {
			j := o.queue.jobs[0]
			o.queue.jobs = o.queue.jobs[1:]
			err := o.Work(b.Context(), machine, decide, j)
			for again := 0; err != nil && again < 10; again++ { // as the job engine does
				err = o.Work(b.Context(), machine, decide, j)
			}
			must(b, err)
			if pages++; pages*award.PageHouseholds*10 >= n && tenth == 0 {
				tenth = liveHeap()
			}
		}
		took := time.Since(begun)
		late = liveHeap()
		b.ReportMetric(float64(n)/took.Seconds(), phase+"-households/s")
		b.ReportMetric(float64(tenth)/1e6, phase+"-MB@10%")
		b.ReportMetric(float64(late)/1e6, phase+"-MB@100%")
		b.ReportMetric(float64(peak())/1e6, phase+"-MB-peak")
	}
	r, _, _, err = o.Show(b.Context(), clerk, decide, r.ID)
	must(b, err)
	if r.State != award.Done || r.Result.Households != n+1 || r.Result.Awards == 0 || r.Counted.Awards != r.Result.Awards {
		b.Fatalf("%s, counted %+v, did %+v", r.State, r.Counted, r.Result)
	}
	b.Logf("%d households: %+v", n, r.Result)
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap looks at the heap ten times a second until it is asked for the largest.
func watchHeap() func() uint64 {
	ctx, stop := context.WithCancel(context.Background())
	var largest atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest.Store(max(largest.Load(), m.HeapAlloc))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { stop(); <-done; return largest.Load() }
}

// BenchmarkApprove approves a full list. The transaction must end in the store's limit for
// one callback, 2 s.
func BenchmarkApprove(b *testing.B) {
	for _, e := range storetest.Engines {
		b.Run(string(e), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := open(b, storetest.Open(b, e))
				o.populate(b, award.MaxList+400)
				r := o.run(b, "1")
				o.proveAll(b, r)
				o.until(r.Deadline, 9*24*time.Hour)
				begun := time.Now()
				l, err := o.Propose(b.Context(), clerk, decide, r.ID)
				must(b, err)
				o.drain(b)
				b.ReportMetric(time.Since(begun).Seconds(), "gather-s")
				l, _, err = o.Office.List(b.Context(), second, decide, l.ID)
				must(b, err)
				if l.Count != award.MaxList || l.State != award.Waiting {
					b.Fatalf("%+v", l)
				}
				b.StartTimer()
				must(b, o.Approve(b.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました"))
			}
		})
	}
}

// proveAll stores a proof for every award of a run.
func (o *office) proveAll(b *testing.B, r award.Run) {
	for after := ""; ; {
		var found []award.Award
		must(b, o.DB.Runner().Do(b.Context(), func(ctx context.Context, t tx.Tx) (err error) {
			if found, err = o.rows.Unproven(ctx, t, r.ID, after, 200); err != nil {
				return err
			}
			for i := range found {
				found[i].Proof.At, found[i].AnswerBy = o.Now(), r.Deadline
			}
			return o.rows.AddProofs(ctx, t, found)
		}))
		if len(found) < 200 {
			return
		}
		after = found[len(found)-1].ID
	}
}
