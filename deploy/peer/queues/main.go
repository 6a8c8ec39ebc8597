// Command queues measures peers of the agent's queue against one bare bbolt Update a record,
// in turns within one run: the OpenTelemetry collector's sending queue over file_storage with
// fsync on, and SQLite (WAL, synchronous FULL) with one insert a transaction.
// `go test -bench Durable ./agent/internal/queue/` prints the agent's ratio to the same
// control.
//
// It is a module of its own, outside the workspace, so that the collector's dependencies
// stay out of everything else: GOWORK=off go run .
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.etcd.io/bbolt"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	_ "modernc.org/sqlite"
)

type host struct {
	ext map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.ext }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

const (
	rounds  = 20 // of each side, in turns
	records = 20 // of each writer in a round
)

func main() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "peer")
	must(err)
	queue, bare, table := collector(ctx, dir), bolt(filepath.Join(dir, "bare.db")), sqlite(filepath.Join(dir, "sqlite.db"))
	body := strings.Repeat("a", 1000)
	var n atomic.Uint64
	for _, writers := range []int{1, 16, 64} {
		var control, collected, inserted time.Duration
		for range rounds {
			control += timed(writers, func() {
				k := n.Add(1)
				must(bare.Update(func(tx *bbolt.Tx) error {
					return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "%020d", k), []byte(body))
				}))
			})
			collected += timed(writers, func() {
				l := plog.NewLogs()
				l.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(body)
				must(queue.ConsumeLogs(ctx, l))
			})
			inserted += timed(writers, func() {
				_, err := table.ExecContext(ctx, `INSERT INTO record (id, body) VALUES ($1, $2)`, n.Add(1), []byte(body))
				must(err)
			})
		}
		all := float64(rounds * writers * records)
		fmt.Printf("writers=%d bare %.0f/s collector %.0f/s x-bare %.2f sqlite %.0f/s x-bare %.2f\n", writers, all/control.Seconds(),
			all/collected.Seconds(), control.Seconds()/collected.Seconds(), all/inserted.Seconds(), control.Seconds()/inserted.Seconds())
	}
	must(os.RemoveAll(dir))
	os.Exit(0) // the consumer holds its record for ever
}

// collector is an exporter whose backend is out: what it is given stays in its queue, which
// is on disk when ConsumeLogs returns.
func collector(ctx context.Context, dir string) exporter.Logs {
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory, cfg.FSync = dir, true
	ext, err := f.Create(ctx, extensiontest.NewNopSettings(f.Type()), cfg)
	must(err)
	must(ext.Start(ctx, componenttest.NewNopHost()))
	id := component.NewID(f.Type())
	q := exporterhelper.NewDefaultQueueConfig()
	q.StorageID, q.QueueSize, q.NumConsumers = &id, 10_000_000, 1
	hold := make(chan struct{})
	exp, err := exporterhelper.NewLogs(ctx, exportertest.NewNopSettings(component.MustNewType("peer")), &struct{}{},
		func(context.Context, plog.Logs) error { <-hold; return nil },
		exporterhelper.WithQueue(configoptional.Some(q)))
	must(err)
	must(exp.Start(ctx, host{map[component.ID]component.Component{id: ext}}))
	return exp
}

func sqlite(path string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	must(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT`)
	must(err)
	return db
}

func bolt(path string) *bbolt.DB {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	must(err)
	must(db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("b"))
		return err
	}))
	return db
}

func timed(writers int, one func()) time.Duration {
	var wg sync.WaitGroup
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for range records {
				one()
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
