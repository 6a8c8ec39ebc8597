package idempotency_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/store"
	rows "madoguchi.example/backend/internal/store/idempotency"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "idempotency", Keys: []string{"citizen_id", "operation", "key"},
			Columns: []string{"citizen_id", "operation", "key", "fingerprint", "response", "created_at"},
			Values: func(n int) []any {
				return []any{"ctz_1", "op", fmt.Sprint("k", n), []byte{1}, []byte{2}, int64(1)}
			},
		})
	})
}

func TestReplay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := storetest.Now()
		k := idempotency.New(rows.New(db.Reads()), func() time.Time { return now })
		call := idempotency.Call{Subject: "ctz_1", Operation: "issue", Key: "k", Fingerprint: []byte("f")}
		do := func(fn func(context.Context, tx.Tx) error) error { return db.Runner().Do(t.Context(), fn) }
		replay := func(c idempotency.Call) (answer string, found bool, err error) {
			err = do(func(ctx context.Context, tr tx.Tx) error {
				b, ok, err := k.Replay(ctx, tr, c)
				answer, found = string(b), ok
				return err
			})
			return answer, found, err
		}
		keep := func(answer string) error {
			return do(func(ctx context.Context, tr tx.Tx) error { return k.Keep(ctx, tr, call, []byte(answer)) })
		}
		if _, found, err := replay(call); found || err != nil {
			t.Fatalf("before the first call: %v %v", found, err)
		}
		if err := keep("crt_1"); err != nil {
			t.Fatal(err)
		}
		if answer, found, err := replay(call); answer != "crt_1" || !found || err != nil {
			t.Errorf("the repeat got %q %v %v", answer, found, err)
		}
		other := call
		other.Fingerprint = []byte("g")
		if _, _, err := replay(other); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("another request under the key: %v", err)
		}
		other = call
		other.Subject = "ctz_2"
		if _, found, err := replay(other); found || err != nil {
			t.Errorf("another citizen's key: %v %v", found, err)
		}
		if err := keep("crt_2"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a second keep: %v", err)
		}
		now = now.Add(idempotency.Lifetime + time.Second)
		if _, found, err := replay(call); found || err != nil {
			t.Errorf("after its life: %v %v", found, err)
		}
		if err := keep("crt_3"); err != nil {
			t.Errorf("a new call under an old key: %v", err)
		}
		now = now.Add(idempotency.Lifetime + time.Second)
		err := do(func(ctx context.Context, tr tx.Tx) error {
			n, err := k.Sweep(ctx, tr, 10)
			if n != 1 {
				t.Errorf("%d swept", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
