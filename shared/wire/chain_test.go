package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// The chain's hash depends on the terminal, the epoch, and every record in its order.
func TestChain(t *testing.T) {
	head := func(terminal string, records ...wire.Record) wire.Hash {
		linked := chained(terminal, records...)
		return wire.After(linked[len(linked)-1])
	}
	base := head("trm_1", record(1), record(2))
	if base != head("trm_1", record(1), record(2)) {
		t.Error("the same records have two heads")
	}
	other := record(1)
	other.Body = json.RawMessage(`{}`)
	for name, h := range map[string]wire.Hash{
		"another terminal": head("trm_2", record(1), record(2)), "another order": head("trm_1", record(2), record(1)),
		"one more": head("trm_1", record(1), record(2), record(3)), "one less": head("trm_1", record(1)),
		"another first": head("trm_1", other, record(2)), "another epoch": head("trm_1", moved(record(1), "epo_2", 1), moved(record(2), "epo_2", 2)),
	} {
		if h == base {
			t.Errorf("%s has the same head", name)
		}
	}
}

// On the way a Prev stands only where it does not follow from the record before.
func TestPrevTravelsWhereItMust(t *testing.T) {
	b := batch(4)
	b.Records = append(b.Records[:2], b.Records[3], moved(record(5), "epo_2", 1), moved(record(6), "epo_2", 2))
	b.Records[3].Prev = wire.Genesis("trm_1", "epo_2")
	b.Records[4].Prev = wire.After(b.Records[3])
	var out struct {
		Records []struct {
			Prev string `json:"prev"`
		} `json:"records"`
	}
	if err := json.Unmarshal(travelling(t, b), &out); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true, true, false} {
		if has := out.Records[i].Prev != ""; has != want {
			t.Errorf("record %d: prev travels: %v", i, has)
		}
	}
}

func TestDecodeRefusesAContradiction(t *testing.T) {
	plain := string(travelling(t, batch(2)))
	cut := strings.LastIndex(plain, `}],`)
	wrong := plain[:cut] + `,"prev":"` + wire.Genesis("x", "y").String() + `"` + plain[cut:]
	if _, err := wire.DecodeBatch(pack(t, []byte(wrong))); fault.PlaceOf(err) != "records[1].prev" {
		t.Errorf("a contradiction: %v", err)
	}
	right := plain[:cut] + `,"prev":"` + batch(2).Records[1].Prev.String() + `"` + plain[cut:]
	if _, err := wire.DecodeBatch(pack(t, []byte(right))); err != nil {
		t.Errorf("what follows, said all the same: %v", err)
	}
	loud := strings.Replace(plain, `"prev":"`, `"prev":"A`, 1)
	if _, err := wire.DecodeBatch(pack(t, []byte(loud))); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("a hash that is none: %v", err)
	}
}

func TestMarks(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	m := wire.Mark{Epoch: "epo_1", Through: 7, Head: wire.Genesis("a", "b"), Key: "rk_1"}
	m.Signature = wire.SignMark(key, "trm_1", "epo_2", m)
	if !wire.VerifyMark(public, "trm_1", "epo_2", m) {
		t.Fatal("a good mark is refused")
	}
	for name, change := range map[string]func(*wire.Mark){
		"epoch": func(m *wire.Mark) { m.Epoch = "epo_3" }, "through": func(m *wire.Mark) { m.Through++ },
		"head": func(m *wire.Mark) { m.Head[5]++ }, "key": func(m *wire.Mark) { m.Key = "rk_2" },
		"signature": func(m *wire.Mark) { m.Signature = bytes.Clone(m.Signature); m.Signature[3]++ },
		"none":      func(m *wire.Mark) { m.Signature = nil },
	} {
		bad := m
		change(&bad)
		if wire.VerifyMark(public, "trm_1", "epo_2", bad) {
			t.Errorf("a mark with another %s is taken", name)
		}
	}
	if wire.VerifyMark(public, "trm_2", "epo_2", m) || wire.VerifyMark(public, "trm_1", "epo_3", m) || wire.VerifyMark(nil, "trm_1", "epo_2", m) {
		t.Error("a mark is taken for another terminal, another life of the store, or without a key")
	}
}

func TestReceiptsMarks(t *testing.T) {
	one := `{"epoch":"epo_1","through":3,"head":"` + strings.Repeat("0a", 32) + `","key":"rk_1","more":1}`
	r, err := wire.DecodeReceipt([]byte(`{"server_epoch":"epo_2","marks":[` + one + `]}`))
	if err != nil || len(r.Marks) != 1 || r.Marks[0].Through != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for name, marks := range map[string]string{
		"twice": one + "," + one, "signature": strings.Replace(one, `"more":1`, `"signature":"YWE="`, 1),
		"epoch": strings.Replace(one, "epo_1", "EPO", 1), "head": strings.Replace(one, "0a", "0A", 1), "key": strings.Replace(one, "rk_1", "R k", 1),
	} {
		if _, err := wire.DecodeReceipt([]byte(`{"marks":[` + marks + `]}`)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var many []string
	for i := range wire.MaxMarks + 1 {
		many = append(many, strings.Replace(one, "epo_1", fmt.Sprint("e", i), 1))
	}
	for n, good := range map[int]bool{wire.MaxMarks: true, wire.MaxMarks + 1: false} {
		if _, err := wire.DecodeReceipt([]byte(`{"marks":[` + strings.Join(many[:n], ",") + `]}`)); (err == nil) != good {
			t.Errorf("%d marks: %v", n, err)
		}
	}
	if _, err := wire.DecodeReceipt([]byte(`{"server_epoch":"Epoch 2"}`)); err == nil {
		t.Error("a server epoch that is no name is accepted")
	}
}

func TestNonces(t *testing.T) {
	b, err := wire.EncodeNonce(wire.Nonce{Nonce: "abc-_.9", ServerTime: at})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := wire.DecodeNonce(b); err != nil || n.Nonce != "abc-_.9" || !n.ServerTime.Equal(at) {
		t.Errorf("got %+v, %v", n, err)
	}
	for _, bad := range []string{`{}`, `{"nonce":""}`, `{"nonce":"a b"}`, `{"nonce":"` + strings.Repeat("a", 257) + `"}`, `{"nonce":"a"} x`, strings.Repeat(" ", wire.MaxNonceBytes) + `{"nonce":"a"}`} {
		if _, err := wire.DecodeNonce([]byte(bad)); err == nil {
			t.Errorf("%.40s: accepted", bad)
		}
	}
}

// What no store could keep is refused at the edge, and nobody is sent away for years.
func TestBoundsOfNumbers(t *testing.T) {
	for seq, good := range map[uint64]bool{0: false, 1: true, wire.MaxSequence: true, wire.MaxSequence + 1: false, 1<<64 - 1: false} {
		r := batch(1).Records[0]
		r.Sequence = seq
		if err := r.Validate(); (err == nil) != good || (!good && fault.PlaceOf(err) != "seq") {
			t.Errorf("sequence %d: %v", seq, err)
		}
	}
	for cursor, good := range map[uint64]bool{0: true, wire.MaxCursor: true, wire.MaxCursor + 1: false} {
		if _, err := wire.DecodeAnswers(fmt.Appendf(nil, `{"cursor":%d,"answers":[]}`, cursor)); (err == nil) != good {
			t.Errorf("cursor %d: %v", cursor, err)
		}
	}
	for ms, want := range map[int64]int64{-5: 0, 7: 7, 1 << 62: wire.MaxSlot.Milliseconds()} {
		if r, err := wire.DecodeReceipt(fmt.Appendf(nil, `{"retry_after_ms":%d}`, ms)); err != nil || r.RetryAfterMS != want {
			t.Errorf("%d ms are read as %d, %v", ms, r.RetryAfterMS, err)
		}
	}
}

// Each version that is read, and not the newest, has its day in DESIGN.md.
func TestVersionsAreReadForAYear(t *testing.T) {
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for v := wire.Oldest; v < wire.Version; v++ {
		until, ok := wire.ReadUntil(v)
		if row := fmt.Sprintf("| %d | %s |", v, until); !ok || !strings.Contains(string(design), row) {
			t.Errorf("DESIGN.md has no row %q", row)
		}
	}
	if _, ok := wire.ReadUntil(wire.Version); ok {
		t.Error("the newest version has an end")
	}
	if until, _ := wire.ReadUntil(0); until.String() != "2027-11-22" {
		t.Errorf("version 0 is read until %s", until)
	}
}
