package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// FuzzDecode: any bytes are a record or damage; a record that was read is written as it was.
func FuzzDecode(f *testing.F) {
	whole, err := encode(stored{Record: wire.Record{
		ID: "01a1fb67-1800-7265-a87c-ed4bd1e1deef", Epoch: "epo_1", Sequence: 300, Kind: wire.KindEligibilityCheck,
		At: time.Date(2026, 11, 21, 0, 0, 0, 1000, time.UTC), Body: []byte(`{"n":1}`), Prev: wire.Genesis("trm_1", "epo_1"),
	}, lived: 77})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for _, n := range []int{0, 1, 17, 49, 50, 55, 60, len(whole) - 8} {
		f.Add(whole[:n])
	}
	head := []byte(`{"id":"01a1fb67-1800-7265-a87c-ed4bd1e1deef","epoch":"epo_1","kind":"x","at":"2026-11-21T00:00:00Z"}`)
	f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := decode(7, plain)
		if err != nil {
			if !errors.Is(err, vault.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if plain[0] == 0 {
			return // of layout 1, which is not written any more
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := decode(7, again); err != nil || is.ID != r.ID || wire.Digest(is.Record) != wire.Digest(r.Record) || is.Prev != r.Prev || is.lived != r.lived {
			t.Fatalf("%+v came back as %+v: %v", r, is, err)
		}
		if len(again) > len(plain) || (len(again) == len(plain) && !bytes.Equal(again, plain)) {
			t.Fatal("the same record has other bytes")
		}
	})
}
