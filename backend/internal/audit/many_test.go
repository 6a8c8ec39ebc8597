package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"madoguchi.example/backend/internal/audit"
	auditrows "madoguchi.example/backend/internal/store/audit"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

func (f *fixture) appendAll(events ...audit.Event) error {
	return f.db.Runner().Do(f.t.Context(), func(ctx context.Context, x tx.Tx) error { return f.log.AppendAll(ctx, x, clerk, events) })
}

func (f *fixture) count() (n int) {
	f.t.Helper()
	err := f.db.Reads().Each(f.t.Context(), `SELECT count(*) FROM audit_entry`, nil, func(scan func(...any) error) error { return scan(&n) })
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// Many entries at once are what one after the other would be: each citizen sees their own,
// and a withheld one leaves no trace.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const people = 300
		var events []audit.Event
		for i := range people {
			id := identity.CitizenID(fmt.Sprintf("ctz_%d", i))
			events = append(events, event(id, audit.NoticeWriting, "ntc_1"), event(id, withheld, "ntc_1"))
		}
		if err := f.appendAll(events...); err != nil {
			t.Fatal(err)
		}
		if err := f.appendAll(); err != nil {
			t.Errorf("nothing at all: %v", err)
		}
		if n := f.count(); n != 2*people {
			t.Errorf("%d entries", n)
		}
		for _, i := range []int{0, 137, people - 1} {
			got, _ := f.all(identity.CitizenID(fmt.Sprintf("ctz_%d", i)), 0)
			if len(got) != 1 || got[0].Purpose != string(audit.NoticeWriting) || got[0].Actor.ID != "stf_1" || !got[0].At.Equal(f.now) || len(got[0].Items) != 2 {
				t.Errorf("%v", got)
			}
		}
	})
}

// One entry that is refused, or an id that is taken, keeps all of them out.
func TestManyOrNone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		good := event("ctz_a", audit.Self, "")
		if err := f.appendAll(good, event("ctz_a", "curiosity", ""), good); fault.CodeOf(err) != fault.Internal {
			t.Errorf("an unknown purpose: %v", err)
		}
		if err := f.appendAll(good, audit.Event{Purpose: audit.Self}); fault.CodeOf(err) != fault.Internal {
			t.Errorf("no action: %v", err)
		}
		same := bytes.NewReader(bytes.Repeat([]byte{7}, 1000)) // every id is the same
		f.log = audit.New(auditrows.New(f.db.Reads()), audit.Register(), func() time.Time { return f.now }, same)
		if err := f.appendAll(good, good); err == nil {
			t.Error("two entries under one id were taken")
		}
		if n := f.count(); n != 0 {
			t.Errorf("%d entries", n)
		}
	})
}

// BenchmarkAppendAll tells what the entries of one page of a run cost.
func BenchmarkAppendAll(b *testing.B) {
	for _, e := range storetest.Engines {
		b.Run(string(e), func(b *testing.B) {
			db := storetest.Open(b, e)
			log := audit.New(auditrows.New(db.Reads()), audit.Register(), storetest.Now, storetest.Rand("many"))
			events := make([]audit.Event, 500)
			for i := range events {
				events[i] = event(identity.CitizenID(fmt.Sprintf("ctz_%d", i)), audit.BenefitDecision, "ntc_1")
			}
			for b.Loop() {
				if err := db.Runner().Do(b.Context(), func(ctx context.Context, x tx.Tx) error { return log.AppendAll(ctx, x, clerk, events) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
