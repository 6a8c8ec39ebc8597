package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// many is how many records the benchmarks of a large queue hold.
const many = 100_000

// kilobyte is a record's body of 1 KB.
var kilobyte = json.RawMessage(`"` + strings.Repeat("a", 1000) + `"`)

// BenchmarkDurable measures durable records of 1 KB per second through Append beside what
// else the same disk does in the same run: a raw append of 4 KiB and fdatasync (for each
// record, one after the other), bbolt's Update (a transaction for each record) and bbolt's
// Batch with its defaults. The figures to read are the ratios x-fdatasync, x-update and
// x-batch. SQLite is measured beside the backend, where its driver is.
func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			p := newPlace(b)
			p.max, p.limits.MaxRecords, p.noSync = 4<<30, 10_000_000, false
			q := p.begin()
			raw, update, batch := rawAppend(b), bareBolt(b), bareBolt(b)
			var n atomic.Uint64
			put := func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "%020d", n.Add(1)), kilobyte)
			}
			kinds := []string{"records/s", "fdatasync", "update", "batch"}
			var took [4]time.Duration
			var p99 [4][]time.Duration
			for b.Loop() { // one round is some records from each writer, for each of the four
				for i, one := range []func() error{
					func() error {
						_, err := q.Append(context.Background(), queue.Draft{Kind: wire.KindEligibilityCheck, At: start, Body: kilobyte})
						return err
					},
					raw,
					func() error { return update.Update(put) },
					func() error { return batch.Batch(put) },
				} {
					took[i] += timed(writers, one, b, &p99[i])
				}
			}
			records := float64(b.N * writers * roundRecords)
			b.ReportMetric(records/took[0].Seconds(), kinds[0])
			for i, kind := range kinds[1:] {
				b.ReportMetric(records/took[i+1].Seconds(), kind+"/s")
				b.ReportMetric(took[i+1].Seconds()/took[0].Seconds(), "x-"+kind)
			}
			b.ReportMetric(float64(slowest(p99[0]).Microseconds()), "p99-us")
			b.ReportMetric(float64(slowest(p99[2]).Microseconds()), "update-p99-us")
		})
	}
}

const roundRecords = 20

// timed runs one so many times in each writer and notes how long each call took.
func timed(writers int, one func() error, b *testing.B, calls *[]time.Duration) time.Duration {
	var wg sync.WaitGroup
	var mu sync.Mutex
	began := time.Now()
	for range writers {
		wg.Go(func() {
			var own [roundRecords]time.Duration
			for i := range own {
				at := time.Now()
				if err := one(); err != nil {
					b.Error(err)
					return
				}
				own[i] = time.Since(at)
			}
			mu.Lock()
			*calls = append(*calls, own[:]...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return time.Since(began)
}

// slowest is the 99th percentile.
func slowest(calls []time.Duration) time.Duration {
	sorted := append([]time.Duration(nil), calls...)
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	return sorted[len(sorted)*99/100]
}

// rawAppend appends a page of 4 KiB to a file and syncs its data.
func rawAppend(b *testing.B) func() error {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	page := bytes.Repeat([]byte("a"), 4<<10)
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if _, err := f.Write(page); err != nil {
			return err
		}
		return unix.Fdatasync(int(f.Fd()))
	}
}

func bareBolt(b *testing.B) *bbolt.DB {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("b"))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// large gives a place whose queue may hold many records of 1 KB.
func large(b *testing.B) *place {
	p := newPlace(b)
	p.max, p.limits.MaxRecords, p.noSync = 1<<30, 2*many, false
	return p
}

// BenchmarkOpen measures the opening of a file after a clean stop, with as many records
// waiting, while none of it is in the page cache: the vault, the queue, and both.
func BenchmarkOpen(b *testing.B) {
	p := large(b)
	q := p.begin()
	fill(b, q, many, 256, kilobyte)
	var inVault, both time.Duration
	for b.Loop() {
		b.StopTimer()
		if err := q.Close(); err != nil {
			b.Fatal(err)
		}
		if err := p.v.Close(); err != nil {
			b.Fatal(err)
		}
		uncache(b, filepath.Join(p.dir, vault.FileName))
		b.StartTimer()
		began := time.Now()
		p.openVault()
		inVault += time.Since(began)
		q = p.openQueue()
		both += time.Since(began)
	}
	if n := q.Stats().Pending; n != many {
		b.Fatalf("%d records", n)
	}
	b.ReportMetric(float64(inVault.Microseconds())/float64(b.N), "vault-us")
	b.ReportMetric(float64(both.Microseconds())/float64(b.N), "cold-open-us")
	b.ReportMetric(float64(p.v.FileBytes())/many, "file-bytes/record")
}

// uncache has the kernel drop what it holds of the file.
func uncache(b *testing.B, path string) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkResident measures the memory of a program that holds an open queue: with 1,000
// records waiting and with 100,000. Pages of the mapped file that the kernel may take back
// at any time are told apart (rss less anon).
func BenchmarkResident(b *testing.B) {
	for b.Loop() {
		p := large(b)
		q := p.begin()
		fill(b, q, 1000, 64, kilobyte)
		q = p.again(q)
		anon, rss := resident(b)
		fill(b, q, many-1000, 256, kilobyte)
		anonFilled, rssFilled := resident(b)
		if _, err := q.Maintain(b.Context()); err != nil {
			b.Fatal(err)
		}
		anonKept, rssKept := resident(b)
		q = p.again(q)
		if _, err := q.Peek(b.Context(), wire.MaxBatchRecords, wire.BatchBudget); err != nil {
			b.Fatal(err)
		}
		anonOpen, rssOpen := resident(b)
		runtime.KeepAlive(q)
		b.ReportMetric(anon, "anon-KiB-1000")
		b.ReportMetric(rss, "rss-KiB-1000")
		b.ReportMetric(anonFilled, "anon-KiB-filled")
		b.ReportMetric(rssFilled, "rss-KiB-filled")
		b.ReportMetric(anonKept, "anon-KiB-maintained")
		b.ReportMetric(rssKept, "rss-KiB-maintained")
		b.ReportMetric(anonOpen, "anon-KiB-opened")
		b.ReportMetric(rssOpen, "rss-KiB-opened")
	}
}

// resident reads the process's own resident memory, after the heap gave back what it can.
func resident(b *testing.B) (anon, all float64) {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("this system does not tell a process's memory")
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 {
			n, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "RssAnon:":
				anon = n
			case "VmRSS:":
				all = n
			}
		}
	}
	return anon, all
}

// BenchmarkDrainCompact measures how long 100,000 records take to be read and settled in
// batches of 200, then to be trimmed, and how long compaction takes.
func BenchmarkDrainCompact(b *testing.B) {
	var drain, trim, compact time.Duration
	var before, after int64
	for b.Loop() {
		b.StopTimer()
		p := large(b)
		q := p.begin()
		fill(b, q, many, 256, kilobyte)
		b.StartTimer()
		began := time.Now()
		drainAll(b, q)
		drain += time.Since(began)
		p.advance(queue.DefaultKeepAccepted)
		began = time.Now()
		if n, err := q.Trim(b.Context()); n != many || err != nil {
			b.Fatalf("%d trimmed: %v", n, err)
		}
		trim += time.Since(began)
		began = time.Now()
		m, err := q.Maintain(b.Context())
		if err != nil || m.Compacted.After == 0 {
			b.Fatalf("%+v: %v", m, err)
		}
		compact += time.Since(began)
		before, after = m.Compacted.Before, m.Compacted.After
	}
	b.ReportMetric(many*float64(b.N)/drain.Seconds(), "settled/s")
	b.ReportMetric(drain.Seconds()/float64(b.N), "drain-s")
	b.ReportMetric(trim.Seconds()/float64(b.N), "trim-s")
	b.ReportMetric(float64(compact.Milliseconds())/float64(b.N), "compact-ms")
	b.ReportMetric(float64(before), "file-bytes-before")
	b.ReportMetric(float64(after), "file-bytes-after")
}

func drainAll(b *testing.B, q *queue.Queue) {
	b.Helper()
	for {
		rs, err := q.Peek(b.Context(), wire.MaxBatchRecords, wire.BatchBudget)
		if err != nil {
			b.Fatal(err)
		}
		if len(rs) == 0 {
			return
		}
		settle(b, q, wire.Accepted, rs...)
	}
}
