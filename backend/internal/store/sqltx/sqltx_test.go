package sqltx_test

import (
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestArgumentsThatEnginesWouldStoreDifferently(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		secret := "NUL\x00inside"
		for name, arg := range map[string]any{
			"time": storetest.Now(), "duration": time.Second, "fraction": 1.5, "NUL": secret, "not UTF-8": "\xff",
			"struct": struct{}{}, "list": []string{"a"}, "too large": uint64(1) << 63, "pointer to a fraction": new(float64),
		} {
			t.Run(name, func(t *testing.T) {
				err := db.Reads().Each(t.Context(), "SELECT $1", []any{arg}, func(func(...any) error) error { return nil })
				if err == nil || !strings.Contains(err.Error(), "argument $1") {
					t.Errorf("error %v, want the argument refused", err)
				}
				if err != nil && strings.Contains(err.Error(), "inside") {
					t.Error("the error repeats the value")
				}
			})
		}
	})
}

func TestArgumentsComeBackAsTheyWere(t *testing.T) {
	type code string
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var text string
		var number int64
		var bytes []byte
		cast := map[store.Engine]string{store.SQLite: "BLOB", store.Postgres: "BYTEA"}[db.Engine()]
		err := db.Reads().Each(t.Context(), "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS "+cast+")",
			[]any{code("0012"), uint8(7), []byte{0, 0xff}}, func(scan func(...any) error) error { return scan(&text, &number, &bytes) })
		if err != nil || text != "0012" || number != 7 || string(bytes) != "\x00\xff" {
			t.Errorf("%q %d %x %v", text, number, bytes, err)
		}
	})
}

func TestTimesKeepMicroseconds(t *testing.T) {
	at := time.Date(2026, 11, 21, 23, 59, 59, 123456000, time.FixedZone("", 9*3600))
	if got := sqltx.Time(sqltx.Micros(at)); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v, want %v in UTC", got, at)
	}
}
