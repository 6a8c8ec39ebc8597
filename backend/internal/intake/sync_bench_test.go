package intake_test

import (
	"context"
	"testing"
	"time"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

const syncRecords = 10_000

// BenchmarkSync takes in 10,000 records as a terminal's batches arrive (compressed, with
// chain and countersigned marks), and stores the same rows by a bare multi-row insert of the
// same size into the same store. It reports both rates and their ratio; both happen in every
// run, one after the other.
func BenchmarkSync(b *testing.B) {
	for _, engine := range storetest.Engines {
		b.Run(string(engine), func(b *testing.B) { benchmarkSync(b, engine) })
	}
}

func benchmarkSync(b *testing.B, engine store.Engine) {
	var sync, bare time.Duration
	for range b.N {
		x := newBench(b, storetest.Open(b, engine))
		batches, rows := x.load(b)
		began := time.Now()
		x.bare(b, rows)
		bare += time.Since(began)
		began = time.Now()
		x.sync(b, batches)
		sync += time.Since(began)
	}
	total := float64(syncRecords * b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total/bare.Seconds(), "bare-records/s")
	b.ReportMetric(total/sync.Seconds(), "sync-records/s")
	b.ReportMetric(bare.Seconds()/sync.Seconds(), "sync/bare")
}

var recordColumns = []string{
	"terminal_id", "record_id", "batch_id", "epoch", "seq", "kind", "at", "body", "digest", "received_at", "state", "code",
	"about", "due_at",
}

// load makes the compressed batches and the rows of another terminal with the same bodies.
func (x *bench) load(b *testing.B) (batches [][]byte, rows [][][]any) {
	b.Helper()
	head := wire.Genesis(clinic.ID, "q1")
	for at := 0; at < syncRecords; {
		var records []wire.Record
		var part [][]any
		for range min(wire.MaxBatchRecords, syncRecords-at) {
			at++
			r := x.check(b, uint64(at))
			r.Prev = head
			head = wire.After(r)
			digest := wire.Digest(r)
			records = append(records, r)
			part = append(part, []any{
				"trm_bare", r.ID, "bat_bare", r.Epoch, int64(r.Sequence), string(r.Kind), sqltx.Micros(r.At),
				[]byte(r.Body), digest[:], sqltx.Micros(r.At), "open", "", "", sqltx.Micros(r.At),
			})
		}
		raw, err := wire.EncodeBatch(wire.Batch{
			Version: wire.Version, Terminal: clinic.ID, SentAt: storetest.Now(), Records: records, Epoch: "q1",
			ServerEpoch: x.db.ServerEpoch(), Behind: syncRecords - at,
		})
		if err != nil {
			b.Fatal(err)
		}
		batches, rows = append(batches, raw), append(rows, part)
	}
	return batches, rows
}

func (x *bench) bare(b *testing.B, rows [][][]any) {
	for _, part := range rows {
		err := x.db.Runner().Do(b.Context(), func(ctx context.Context, t tx.Tx) error {
			_, err := bulk.Insert(ctx, sqltx.Of(t), "intake_record", recordColumns, part)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (x *bench) sync(b *testing.B, batches [][]byte) {
	for _, raw := range batches {
		decoded, err := wire.DecodeBatch(raw)
		if err != nil {
			b.Fatal(err)
		}
		receipt, err := x.ReceiveDecoded(b.Context(), clinic, audit.TerminalOperation, decoded)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range receipt.Results {
			if r.Status != wire.Accepted {
				b.Fatalf("status %s", r.Status)
			}
		}
	}
}
