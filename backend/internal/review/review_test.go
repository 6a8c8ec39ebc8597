package review_test

import (
	"context"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/review"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	reviewrows "madoguchi.example/backend/internal/store/review"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

const (
	ours   identity.MunicipalityCode = "990019"
	theirs identity.MunicipalityCode = "990027"
)

var (
	auditor = actor.Staff{ID: "stf_auditor", Municipality: ours, Roles: []actor.Role{actor.Auditor}}
	clerk   = actor.Staff{ID: "stf_clerk", Municipality: ours, Roles: []actor.Role{actor.Clerk}}
)

// open gives a desk over a record of three entries of ours and one of the neighbours'.
func open(t *testing.T, db *store.DB) *review.Desk {
	t.Helper()
	now := storetest.Now()
	log := audit.New(auditrows.New(db.Reads()), audit.Register(), func() time.Time { now = now.Add(time.Second); return now }, storetest.Rand("review"))
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		for _, e := range []audit.Event{
			{Purpose: audit.NoticeWriting, Action: "first", Municipality: ours, CitizenID: "ctz_1", Items: []string{"name"}},
			{Purpose: audit.NoticeWriting, Action: "theirs", Municipality: theirs, CitizenID: "ctz_2"},
			{Purpose: audit.NoticeWriting, Action: "second", Municipality: ours, CitizenID: "ctz_1"},
			{Purpose: audit.NoticeWriting, Action: "third", Municipality: ours},
		} {
			if err := log.Append(ctx, x, clerk, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return review.New(db.Runner(), reviewrows.New(db.Reads()), log)
}

func actions(entries []auditlog.Entry) string {
	s := ""
	for _, e := range entries {
		s += e.Action + " "
	}
	return s
}

func TestAnAuditorSeesTheirOwnMunicipalityAndIsSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		desk := open(t, db)
		found, err := desk.Newest(t.Context(), auditor, audit.AuditReview, 10)
		if err != nil || actions(found) != "third second first " {
			t.Fatalf("%q %v", actions(found), err)
		}
		if last := found[2]; last.Actor.ID != clerk.ID || last.CitizenID != "ctz_1" || len(last.Items) != 1 || last.Municipality != string(ours) {
			t.Errorf("%+v", last)
		}
		again, err := desk.Newest(t.Context(), auditor, audit.AuditReview, 2)
		if err != nil || actions(again) != "audit.review third " || again[0].Actor.ID != auditor.ID {
			t.Errorf("the look before is not the newest entry: %q %v", actions(again), err)
		}
	})
}

func TestWhoIsNoAuditorSeesNothingAndLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		desk := open(t, db)
		if found, err := desk.Newest(t.Context(), clerk, audit.AuditReview, 10); fault.CodeOf(err) != fault.Forbidden || found != nil {
			t.Errorf("%v %v", found, err)
		}
		if found, err := desk.Newest(t.Context(), auditor, audit.AuditReview, 10); err != nil || len(found) != 3 {
			t.Errorf("%q %v", actions(found), err)
		}
	})
}

func TestALookThatCannotBeRecordedShowsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		desk := open(t, db)
		if found, err := desk.Newest(t.Context(), auditor, "no such purpose", 10); err == nil || found != nil {
			t.Fatalf("a look without a purpose was answered: %q %v", actions(found), err)
		}
		if found, err := desk.Newest(t.Context(), auditor, audit.AuditReview, 10); err != nil || len(found) != 3 {
			t.Errorf("the refused look left an entry: %q %v", actions(found), err)
		}
	})
}
