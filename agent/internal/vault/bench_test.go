package vault_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
)

// BenchmarkLarge measures a vault of 100,000 values of 1 KB: opening after a clean end and
// after a crash, checking all pages, salvaging, draining and compacting; and what stays in
// memory of each.
func BenchmarkLarge(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vault.key"), oneKey, 0o600); err != nil {
		b.Fatal(err)
	}
	o := options(dir)
	begin := func() *vault.Vault {
		v, err := vault.Open(b.Context(), dir, o)
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	v := begin()
	value := []byte(strings.Repeat("a", 1000))
	for first := range n / 1000 {
		err := v.Update(func(tx *bbolt.Tx) error {
			if bucket := tx.Bucket([]byte("queue/records")); bucket != nil {
				vault.Fill(bucket)
			}
			for i := range 1000 {
				if err := v.Put(tx, "queue/records", binary.BigEndian.AppendUint64(nil, uint64(first*1000+i)), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	measure := func(name string, act func()) {
		began := time.Now()
		act()
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, name+"-ms")
		b.ReportMetric(resident(b), name+"-MB")
	}
	shut := func() {
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
	file := filepath.Join(dir, vault.FileName)
	for b.Loop() {
		shut()
		measure("open", func() { v = begin() })
		measure("check", func() { _ = v.Check(b.Context()) })
		shut()
		if err := os.WriteFile(file+".open", nil, 0o600); err != nil {
			b.Fatal(err)
		}
		measure("open-crashed", func() { v = begin() })
		shut()
		if err := flip(file, 16); err != nil {
			b.Fatal(err)
		}
		if err := flip(file, os.Getpagesize()+16); err != nil {
			b.Fatal(err)
		}
		measure("salvage", func() { v = begin() })
		if v.Report().Salvaged.Values != n {
			b.Fatalf("%+v", v.Report().Salvaged)
		}
		b.ReportMetric(float64(v.FileBytes())/(1<<20), "file-MB")
	}
	measure("drain", func() {
		err := v.Update(func(tx *bbolt.Tx) error {
			for i := range n - 100 {
				if err := v.Delete(tx, "queue/records", binary.BigEndian.AppendUint64(nil, uint64(i))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	measure("compact", func() {
		if _, err := v.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	shut()
}

// resident is what of this process is in memory, in MB; 0 where the system does not tell.
func resident(b *testing.B) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
