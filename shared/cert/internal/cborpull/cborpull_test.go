package cborpull_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"madoguchi.example/shared/cert/internal/cborpull"
)

// other is an independent reader, as strict as its options allow.
var other = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: cborpull.MaxDepth,
		MaxMapPairs: cborpull.MaxPairs, MaxArrayElements: 1 << 16, UTF8: cbor.UTF8RejectInvalid, IntDec: cbor.IntDecConvertSignedOrBigInt,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

func bytesOf(t testing.TB, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func skip(data string) error {
	r := cborpull.New(data)
	r.Skip()
	return r.End()
}

func TestWellFormed(t *testing.T) {
	for _, digits := range []string{
		"00", "17", "1818", "1903e8", "3903e7", "f4", "f6", "f7", "f8ff", "f0", "f93e00", "fa47c35000", "fb3ff199999999999a", "40", "60", "6161",
		"80", "83010203", "a0", "a201020304", "a26161016162820203", "c0 74 3230 3133 2d30 332d 3231 5432 303a 3034 3a30 305a", "d9d9f700", "1b7fffffffffffffff",
	} {
		if err := skip(bytesOf(t, digits)); err != nil {
			t.Errorf("%s: %v", digits, err)
		}
		var any any
		if err := other.Unmarshal([]byte(bytesOf(t, digits)), &any); err != nil {
			t.Errorf("%s: the other reader says %v", digits, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, digits := range map[string]string{
		"nothing": "", "cut head": "18", "cut bytes": "4201", "cut text": "6261", "cut array": "8201", "cut map": "a101", "cut tag": "c0",
		"reserved 28": "1c", "reserved 30": "7e", "indefinite bytes": "5f4101ff", "indefinite text": "7f6161ff", "indefinite array": "9f01ff",
		"indefinite map": "bf0102ff", "break": "ff", "indefinite, much behind": "9f" + strings.Repeat("00", 128) + "ff", "reserved, much behind": "1c" + strings.Repeat("00", 16), "more behind": "0000", "not UTF-8": "61ff", "surrogate": "63eda080",
		"twice": "a201020103", "twice, spelt longer": "a20102180103", "twice, text": "a2616101616102", "twice within": "81a201020103",
		"key of bytes": "a1410101", "key of null": "a1f601", "key of array": "a18001", "simple in long form": "f814",
		"deep": strings.Repeat("81", cborpull.MaxDepth+1) + "00", "deep tags": strings.Repeat("c1", cborpull.MaxDepth+1) + "00",
		"long bytes": "5bffffffffffffffff", "long array": "9bffffffffffffffff", "long map": "bbffffffffffffffff", "a key beyond 64 bits": "a11bffffffffffffffff00",
	} {
		if err := skip(bytesOf(t, digits)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	pairs := "b8" + hex.EncodeToString([]byte{cborpull.MaxPairs + 1})
	for n := range cborpull.MaxPairs + 1 {
		pairs += "18" + hex.EncodeToString([]byte{byte(n)}) + "00"
	}
	if err := skip(bytesOf(t, pairs)); err == nil {
		t.Error("too many pairs: read")
	}
}

func TestNumbers(t *testing.T) {
	for digits, want := range map[string]float64{
		"00": 0, "20": -1, "1903e8": 1000, "1800": 0, "1b7fffffffffffffff": math.MaxInt64, "3b7fffffffffffffff": math.MinInt64,
		"f93c00": 1, "f90001": 5.960464477539063e-8, "f97bff": 65504, "f9c400": -4, "f97c00": math.Inf(1), "f9fc00": math.Inf(-1), "fa47c35000": 100000,
		"fb41d82f5a00000000": math.Float64frombits(0x41d82f5a00000000),
	} {
		r := cborpull.New(bytesOf(t, digits))
		if got := r.Number(); got != want || r.End() != nil {
			t.Errorf("%s: %v, %v", digits, got, r.End())
		}
	}
	r := cborpull.New(bytesOf(t, "f97e00"))
	if got := r.Number(); !math.IsNaN(got) {
		t.Errorf("not a number: %v", got)
	}
	for _, digits := range []string{"f4", "61 31", "1bffffffffffffffff", "80"} {
		r := cborpull.New(bytesOf(t, digits))
		if r.Number(); r.End() == nil {
			t.Errorf("%s: a number", digits)
		}
	}
}

// TestWrongKinds asks for each kind where another stands.
func TestWrongKinds(t *testing.T) {
	asks := map[string]func(r *cborpull.Reader){
		"integer": func(r *cborpull.Reader) { r.Int() }, "bytes": func(r *cborpull.Reader) { r.Bytes() }, "text": func(r *cborpull.Reader) { r.Text() },
		"tag": func(r *cborpull.Reader) { r.Tag() }, "null": func(r *cborpull.Reader) { r.Null() },
		"array": func(r *cborpull.Reader) {
			for a := r.Array(); a.Next(); {
			}
		},
		"map": func(r *cborpull.Reader) {
			for m := r.Map(); m.Next(); {
			}
		},
	}
	items := map[string]string{"integer": "01", "bytes": "4101", "text": "6161", "tag": "c1", "null": "f6", "array": "8101", "map": "a10101"}
	for asked, ask := range asks {
		for kind, digits := range items {
			r := cborpull.New(bytesOf(t, digits))
			if ask(&r); (r.End() == nil) != (asked == kind) {
				t.Errorf("%s for %s: %v", asked, kind, r.End())
			}
		}
	}
}

func TestLoopsPassOverWhatIsLeft(t *testing.T) {
	r := cborpull.New(bytesOf(t, "a3 01 83010203 6161 02 6162 a10102"))
	keys := ""
	for m := r.Map(); m.Next(); {
		if m.Key.Text == "a" {
			if r.Int() != 2 {
				t.Error("another value")
			}
		}
		keys += m.Key.Text + "."
	}
	if err := r.End(); err != nil || keys != ".a.b." {
		t.Errorf("%s %v", keys, err)
	}
}

func TestBuilderOrdersKeys(t *testing.T) {
	var b cborpull.Builder
	b.PutText("ver", "1.3.0")
	b.PutText("none", "")
	b.PutInt("dn", 500)
	b.Put(cborpull.AppendInt(nil, -260), cborpull.AppendBytes(nil, "x"))
	b.Put(cborpull.AppendInt(nil, 4), cborpull.AppendInt(nil, -1))
	got := b.Append(nil)
	var value map[any]any
	if err := other.Unmarshal(got, &value); err != nil {
		t.Fatal(err)
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := mode.Marshal(value); err != nil || !bytes.Equal(got, want) {
		t.Errorf("\n got %x\nwant %x, %v", got, want, err)
	}
}

// FuzzSkip holds the reader against the other one: what it takes, the other takes too.
func FuzzSkip(f *testing.F) {
	var inner, b cborpull.Builder
	inner.PutText("a", "ü")
	inner.PutInt("b", -70000)
	b.Put(cborpull.AppendInt(nil, 1), inner.Append(nil))
	b.Put(cborpull.AppendInt(nil, 2), append(cborpull.AppendArray(nil, 2), 0xf6, 0xf9, 0x3c, 0x00))
	b.Put(cborpull.AppendInt(nil, 3), append(cborpull.AppendTag(nil, 18), cborpull.AppendBytes(nil, "\x01")...))
	f.Add(b.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if skip(string(data)) != nil {
			return
		}
		if err := other.Wellformed(data); err != nil {
			t.Errorf("%x: read here, and the other reader says %v", data, err)
		}
	})
}
