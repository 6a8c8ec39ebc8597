package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/shared/wire"
)

// BenchmarkDurable measures durable records of 1 KB per second through Append against a
// bare bbolt Update for each record, in the same run, at 1 and 16 writers. The figure to
// read is x-bare: how many times the bare rate.
func BenchmarkDurable(b *testing.B) {
	body := json.RawMessage(`"` + strings.Repeat("a", 1000) + `"`)
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			p := newPlace(b)
			p.max, p.limits.MaxRecords = 4<<30, 10_000_000
			q := p.begin()
			bare := bareBolt(b)
			var n atomic.Uint64
			var ours, theirs time.Duration
			for b.Loop() { // one round is 20 records from each writer, on each side
				theirs += timed(writers, func() error {
					k := n.Add(1)
					return bare.Update(func(tx *bbolt.Tx) error {
						return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "%020d", k), body)
					})
				}, b)
				ours += timed(writers, func() error {
					_, err := q.Append(context.Background(), queue.Draft{Kind: wire.KindEligibilityCheck, At: start, Body: body})
					return err
				}, b)
			}
			records := float64(b.N * writers * roundRecords)
			b.ReportMetric(records/ours.Seconds(), "records/s")
			b.ReportMetric(records/theirs.Seconds(), "bare-records/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-bare")
		})
	}
}

const roundRecords = 20

func timed(writers int, one func() error, b *testing.B) time.Duration {
	var wg sync.WaitGroup
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for range roundRecords {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
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

// BenchmarkOpen measures the opening of a file with 10,000 records that wait (vault with
// its page check, and queue).
func BenchmarkOpen(b *testing.B) {
	p := newPlace(b)
	q := p.begin()
	var wg sync.WaitGroup
	for w := range 100 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := q.Append(context.Background(), draft(w*100+i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		q = p.again(q)
	}
	if n := q.Stats().Pending; n != 10_000 {
		b.Fatalf("%d records", n)
	}
	b.ReportMetric(float64(p.v.FileBytes()), "file-bytes")
}
