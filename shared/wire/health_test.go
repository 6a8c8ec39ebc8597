package wire_test

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

func health() wire.Health {
	return wire.Health{
		Terminal: "trm_1", At: at, Version: "1.2.3", KeyClass: "tpm2", Pending: 3, OldestAt: at.Add(-time.Hour), Stale: 1, Unanswered: 2,
		DeadLetters: 1, LastAck: at.Add(-time.Minute), FileBytes: 65536, UsedBytes: 4096, PutAside: 1, Lost: 2, Compacted: at.Add(-2 * time.Hour),
		Clock: wire.Clock{Boot: "b0", MonotonicMS: 12, OffsetMS: -34, Trusted: true}, Faults: []string{"clock_wrong", "disk_small"},
	}
}

func TestHealth(t *testing.T) {
	for _, h := range []wire.Health{health(), {Terminal: "trm_1", At: at}} {
		b, err := wire.EncodeHealth(h)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wire.DecodeHealth(b); err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	for place, change := range map[string]func(*wire.Health){
		"health.terminal": func(h *wire.Health) { h.Terminal = "" }, "health.at": func(h *wire.Health) { h.At = time.Time{} },
		"health.version":   func(h *wire.Health) { h.Version = "<b>" },
		"health.key_class": func(h *wire.Health) { h.KeyClass = "TPM" },
		"health.pending":   func(h *wire.Health) { h.Pending = -1 }, "health.used_bytes": func(h *wire.Health) { h.UsedBytes = wire.MaxCount + 1 },
		"health.faults[1]":  func(h *wire.Health) { h.Faults[1] = "山田 太郎" },
		"health.faults":     func(h *wire.Health) { h.Faults = make([]string, wire.MaxFaults+1) },
		"health.clock.boot": func(h *wire.Health) { h.Clock.Boot = "x y" },
		"health.oldest_at":  func(h *wire.Health) { h.OldestAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		h := health()
		change(&h)
		if _, err := wire.EncodeHealth(h); fault.PlaceOf(err) != place {
			t.Errorf("%s: got %v", place, err)
		}
	}
	for _, bad := range []string{`{}`, `{"terminal":"trm_1","at":"2026-11-21T00:00:00Z","name":"x"}`, strings.Repeat(" ", wire.MaxHealthJSON) + `{}`} {
		if _, err := wire.DecodeHealth([]byte(bad)); err == nil {
			t.Errorf("%.60s: accepted", bad)
		}
	}
}

// The longest summary, signed, fits into a batch.
func TestTheLongestHealthFits(t *testing.T) {
	h := health()
	long := strings.Repeat("f", 64)
	h.Version, h.KeyClass, h.Clock.Boot, h.Terminal = long, long, long, long
	h.Faults = nil
	for range wire.MaxFaults {
		h.Faults = append(h.Faults, long)
	}
	h.FileBytes, h.UsedBytes, h.Pending, h.Stale, h.Unanswered, h.DeadLetters, h.PutAside, h.Lost =
		wire.MaxCount, wire.MaxCount, wire.MaxCount, wire.MaxCount, wire.MaxCount, wire.MaxCount, wire.MaxCount, wire.MaxCount
	if _, err := wire.EncodeHealth(h); err != nil {
		t.Fatal(err)
	}
	head := base64.RawURLEncoding.EncodedLen(len(`{"alg":"ES256","typ":"` + wire.HealthType + `"}`))
	if whole := head + 1 + base64.RawURLEncoding.EncodedLen(wire.MaxHealthJSON) + 1 + base64.RawURLEncoding.EncodedLen(64); whole > wire.MaxHealthBytes {
		t.Errorf("signed it takes %d bytes", whole)
	}
}

func FuzzDecodeHealth(f *testing.F) {
	b, err := wire.EncodeHealth(health())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := wire.DecodeHealth(in)
		if err != nil {
			return
		}
		out, err := wire.EncodeHealth(h)
		if fault.CodeOf(err) == fault.TooLarge {
			return // absent members are written as zeros
		}
		if err != nil {
			t.Fatalf("accepted what cannot be written: %v", err)
		}
		if _, err := wire.DecodeHealth(out); err != nil {
			t.Fatal(err)
		}
	})
}
