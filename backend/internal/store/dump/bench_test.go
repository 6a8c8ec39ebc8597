package dump_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/dump"
	"madoguchi.example/backend/internal/store/storetest"
)

// recordsOf is a source of intake records as terminals send them: 600 bytes of which little
// can be compressed.
type recordsOf int

var records = backup.Table{Name: "intake_record", Key: []string{"terminal_id", "record_id"}, Columns: []string{
	"at", "batch_id", "body", "code", "digest", "epoch", "kind", "received_at", "record_id", "seq", "state", "terminal_id"}}

func (recordsOf) Tables(context.Context) ([]backup.Table, error) { return []backup.Table{records}, nil }

func (n recordsOf) Each(_ context.Context, _ backup.Table, row func([]any) error) error {
	for i := range int(n) {
		sum := sha256.Sum256(fmt.Append(nil, i))
		var body []byte
		for len(body) < 512 {
			sum = sha256.Sum256(sum[:])
			body = append(body, sum[:]...)
		}
		if err := row([]any{int64(i), "bat_1", body, "", sum[:], "e1", "eligibility.check", int64(i), fmt.Sprintf("%032x", i), int64(i), "answered", "trm_1"}); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBackupAndRestore measures a sealed backup with its proof, and the restoration of
// it into each engine. MADOGUCHI_ROWS sets the number of rows, 20,000 by default.
func BenchmarkBackupAndRestore(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("MADOGUCHI_ROWS"))
	if err != nil {
		n = 20_000
	}
	for _, e := range storetest.Engines {
		b.Run(string(e), func(b *testing.B) {
			for b.Loop() {
				measure(b, e, n)
			}
		})
	}
}

func measure(b *testing.B, e store.Engine, n int) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	db, path := storetest.Open(b, e), filepath.Join(b.TempDir(), "sealed")
	head := stored(b, db, n)
	took := func(f func()) time.Duration { start := time.Now(); f(); return time.Since(start) }
	backing := took(func() {
		m, err := dump.Begin(b.Context(), db)
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		if _, err := backup.Create(b.Context(), path, id.Recipient(), head, m); err != nil {
			b.Fatal(err)
		}
	})
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	other := storetest.Open(b, e)
	restoring := took(func() {
		in, err := backup.Open(path, id)
		if err != nil {
			b.Fatal(err)
		}
		defer in.Close()
		if err := dump.Fill(b.Context(), other, func(ctx context.Context, f *dump.Filling) error {
			_, err := backup.Read(ctx, in, func(backup.Head) error { return nil }, f)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(n)/backing.Seconds(), "backed_up/s")
	b.ReportMetric(float64(n)/restoring.Seconds(), "restored/s")
	b.ReportMetric(float64(info.Size())/float64(n), "bytes/row")
	b.ReportMetric(resident(b), "MiB_resident_at_most")
}

// resident is the most that this process ever held in memory, in MiB.
func resident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// stored fills a store and gives what a file of it begins with.
func stored(b *testing.B, db *store.DB, n int) (head backup.Head) {
	file, w := io.Pipe()
	go func() {
		_, err := backup.Write(b.Context(), w, backup.Head{Epoch: "epo_1", Schema: []int64{1}}, recordsOf(n))
		w.CloseWithError(err)
	}()
	if err := dump.Fill(b.Context(), db, func(ctx context.Context, f *dump.Filling) error {
		if _, err := backup.Read(ctx, file, func(backup.Head) error { return nil }, f); err != nil {
			return err
		}
		_, err := backup.Read(ctx, bytes.NewReader(epochFile(b)), func(backup.Head) error { return nil }, f)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	m, err := dump.Begin(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if head, err = m.Head(b.Context(), storetest.Now()); err != nil {
		b.Fatal(err)
	}
	return head
}

// epochFile is a backup of a server epoch alone.
func epochFile(b *testing.B) []byte {
	var file bytes.Buffer
	table := backup.Table{Name: "server_epoch", Columns: []string{"created_at", "epoch", "only_row"}, Key: []string{"only_row"}}
	if _, err := backup.Write(b.Context(), &file, backup.Head{Epoch: "epo_1", Schema: []int64{1}}, one{table, []any{int64(1), "epo_1", int64(1)}}); err != nil {
		b.Fatal(err)
	}
	return file.Bytes()
}
